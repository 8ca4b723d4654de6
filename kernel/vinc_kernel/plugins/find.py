"""Find the installed plugins by their distributions' metadata; nothing is imported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

GROUP = "vinc.plugins"
KERNEL = "vinc-kernel"
LONGEST = 200  # characters of a foreign text that an error repeats
well_formed = re.compile(r"[a-z][a-z0-9]*").fullmatch
# The kernel's own commands, and the subjects of its settings: a plugin of such a name would answer to both.
RESERVED = frozenset(
    "api check cors database db debug docs env "
    "jwt kernel log mongo openapi otel plugin plugins public redis root secret serve settings tenant vinc".split()
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
    found = [one for distribution in first_of_each() for one in installed(distribution)]
    return sorted(found, key=lambda one: (one.name, one.distribution))


def first_of_each() -> Iterator[Distribution]:
    """The distributions that Python imports from: of two of one name the first on the path."""
    seen: set[str] = set()
    for distribution in distributions():
        foreign: Any = distribution
        try:
            name = foreign._normalized_name  # noqa: SLF001  its public name costs reading every METADATA
        except Exception:  # noqa: BLE001  one that cannot say its name hides no other
            name = str(id(distribution))
        if name not in seen:
            seen.add(name)
            yield distribution


def installed(distribution: Distribution) -> Iterator[Installed]:
    """What the metadata says; what is wrong with it goes into `invalid`: one broken plugin must not hide the others."""
    points, wrong = entry_points(distribution)
    if not points:
        return
    given, requires, invalid = described(distribution)
    for name, module in points:
        nameless = [] if module else [f"entry_points.txt has the line {name!r}"]
        yield Installed(
            name=name,
            module=module,
            distribution=canonicalize_name(given.get("Name", "unknown")),
            version=given.get("Version", "0"),
            requires=requires,
            invalid="; ".join([*wrong, *nameless, *invalid]),
        )


def entry_points(distribution: Distribution) -> tuple[list[tuple[str, str]], list[str]]:
    """The names and modules in our group, and what is wrong with the file; a line without `=` names no module."""
    wrong = []
    try:
        text = distribution.read_text("entry_points.txt") or ""
    except UnicodeDecodeError as error:
        text, wrong = error.object.decode("utf-8", "backslashreplace"), ["entry_points.txt is not UTF-8"]
    except OSError:
        return [], []
    points, group = [], ""
    for line in map(str.strip, text.splitlines() if GROUP in text else ()):
        if line.startswith("[") and line.endswith("]"):
            group = line.strip("[]")
        elif group == GROUP and line and not line.startswith("#"):
            name, _, module = line.partition("=")
            points.append((printable(name), printable(module)))
    return points, wrong


def described(distribution: Distribution) -> tuple[dict[str, str], tuple[Requirement, ...], list[str]]:
    """Name and version, the requirements, and what is wrong with them."""
    try:
        metadata = distribution.metadata
        given = {key: printable(metadata[key]) for key in ("Name", "Version") if key in metadata}
        lines = distribution.requires or []
    except Exception as error:  # noqa: BLE001  whatever a broken file makes of its reader is that plugin's fault
        return {}, (), [f"METADATA cannot be read ({type(error).__name__})"]
    requires, invalid = requirements(lines)
    return given, requires, [*(f"it has no {key}" for key in ("Name", "Version") if key not in given), *invalid]


def requirements(lines: list[str]) -> tuple[tuple[Requirement, ...], list[str]]:
    """What is needed here, without other platforms' requirements and the extras; and the lines that say nothing."""
    needed, invalid = [], []
    for line in lines:
        try:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                needed.append(requirement)
        except (ValueError, RecursionError):  # a line that is none, and a marker that cannot be evaluated
            invalid.append(repr(line[:LONGEST]))
    return tuple(needed), invalid


def printable(text: str) -> str:
    """A foreign text as one line that any terminal shows as it is."""
    line = " ".join(str(text).split())
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in line[:LONGEST])
