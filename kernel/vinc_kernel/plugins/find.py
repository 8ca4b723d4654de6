"""Find the installed plugins by their distributions' metadata; nothing is imported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

GROUP = "vinc.plugins"
KERNEL = "vinc-kernel"
well_formed = re.compile(r"[a-z][a-z0-9]*").fullmatch
# The kernel's own commands, and the subjects of its settings: a plugin of such a name would answer to both.
RESERVED = frozenset(
    [
        "api",
        "check",
        "cors",
        "database",
        "db",
        "debug",
        "docs",
        "env",
        "jwt",
        "kernel",
        "log",
        "mongo",
        "openapi",
        "otel",
        "plugin",
        "plugins",
        "public",
        "redis",
        "root",
        "secret",
        "serve",
        "settings",
        "tenant",
        "vinc",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """One entry point in the group `vinc.plugins`, with what its distribution says of itself."""

    name: str
    module: str
    distribution: str
    version: str
    requires: tuple[Requirement, ...]

    @property
    def package(self) -> str:
        return self.module.rpartition(".")[0] or self.module

    @property
    def where(self) -> str:
        return f"{self.distribution} {self.version}"


def find() -> list[Installed]:
    """Every installed plugin, by name; two distributions may claim one, which is for `arrange` to refuse."""
    return sorted(map(installed, entry_points(group=GROUP)), key=lambda one: (one.name, one.distribution))


def installed(point: EntryPoint) -> Installed:
    distribution = point.dist
    name = canonicalize_name(distribution.metadata["Name"]) if distribution else "unknown"
    return Installed(
        name=point.name,
        module=point.value,
        distribution=name,
        version=distribution.version if distribution else "0",
        requires=tuple(requirements(distribution.requires or [])) if distribution else (),
    )


def requirements(lines: list[str]) -> Iterator[Requirement]:
    """What is needed here: other platforms' requirements and the extras are left out."""
    for line in lines:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement
