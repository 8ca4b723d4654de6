"""Find the installed plugins by their distributions' metadata; nothing is imported."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from packaging.requirements import InvalidRequirement, Requirement
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
    invalid: str = ""

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
    """What the metadata says; what is wrong with it goes into `invalid`: one broken plugin must not hide the others."""
    metadata = point.dist.metadata if point.dist else None
    given = {key: metadata[key] for key in ("Name", "Version") if metadata and key in metadata}
    requires, invalid = requirements((point.dist.requires if point.dist else None) or [])
    missing = [f"it has no {key}" for key in ("Name", "Version") if key not in given]
    return Installed(
        name=point.name,
        module=point.value,
        distribution=canonicalize_name(given.get("Name", "unknown")),
        version=given.get("Version", "0"),
        requires=requires,
        invalid="; ".join([*missing, *invalid]),
    )


def requirements(lines: list[str]) -> tuple[tuple[Requirement, ...], list[str]]:
    """What is needed here, without other platforms' requirements and the extras; and the lines that say nothing."""
    needed, invalid = [], []
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            invalid.append(repr(line))
            continue
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            needed.append(requirement)
    return tuple(needed), invalid
