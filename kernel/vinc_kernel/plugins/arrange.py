"""Decide which plugins run, and in which order, from metadata and plugins.toml alone."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ..errors import ManifestError, StartError, StartErrors
from ..manifest import Entry, Manifest, read_manifest
from ..settings import KernelSettings
from .find import KERNEL, RESERVED, Installed, find, well_formed

logger = logging.getLogger("vinc.plugins")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A plugin as metadata and plugins.toml show it: `fault` is why it cannot run, `why` why it is not enabled."""

    name: str
    module: str
    package: str
    distribution: str
    version: str
    enabled: bool
    required: bool
    why: str = ""
    needs: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""
    fault: StartError | None = None


def arrange(settings: KernelSettings) -> list[Plugin]:
    """The enabled plugins in order; raises StartErrors when a required one cannot run, and leaves out optional ones."""
    manifest, found = read_manifest(settings), find()
    if manifest.path is None:
        logger.info("there is no plugins.toml: every installed plugin runs")
    for error in unknown(found, manifest):
        raise error
    plugins = [plugin for plugin in survey(found, manifest) if plugin.enabled]
    if faults := [plugin.fault for plugin in plugins if plugin.fault and plugin.required]:
        raise StartErrors(faults)
    return plugins


def unknown(found: Sequence[Installed], manifest: Manifest) -> list[ManifestError]:
    """One error for each plugin that is to run and is not installed."""
    names = {one.name for one in found}
    return [
        ManifestError(
            f"there is no plugin {name!r} installed",
            where=entry.where,
            cure=f"did you mean {near[0]!r}?" if (near := get_close_matches(name, names, 1)) else "install it",
        )
        for name, entry in manifest.entries.items()
        if name not in names and entry.enabled
    ]


def survey(found: Sequence[Installed], manifest: Manifest) -> list[Plugin]:
    """Every installed plugin in order, enabled or not, each with its fault."""
    by_name: dict[str, list[Installed]] = defaultdict(list)
    for one in found:
        by_name[one.name].append(one)
    plugins = {name: plugin(twins, manifest) for name, twins in by_name.items()}
    plugins = {name: with_needs(one, by_name[name][0], plugins) for name, one in plugins.items()}
    plugins = with_inherited_requirement(plugins)
    plugins = with_prefix_owners(plugins)
    return ordered(plugins)


def plugin(twins: list[Installed], manifest: Manifest) -> Plugin:
    one = twins[0]
    entry = manifest.entries.get(one.name)
    enabled = entry.enabled if entry else manifest.path is None
    made = Plugin(
        name=one.name,
        module=one.module,
        package=one.package,
        distribution=one.distribution,
        version=one.version,
        enabled=enabled,
        required=entry.required if entry else True,
        why="" if enabled else (f"enabled = false in {manifest.path}" if entry else f"not listed in {manifest.path}"),
        prefixes=entry.prefixes if entry else (),
        settings=entry.settings if entry else {},
        where=entry.where if entry else one.where,
    )
    return replace(made, fault=fault_of(made, twins, entry))


def fault(of: Plugin, what: str, cure: str, *, phase: str = "find") -> StartError:
    where = f"{of.distribution} {of.version}"
    return StartError(what, plugin=of.name, phase=phase, where=where, cure=cure)


def fault_of(made: Plugin, twins: list[Installed], entry: Entry | None) -> StartError | None:
    """What is wrong with a plugin by itself, whatever else is installed."""
    if len(twins) > 1:
        names = " and ".join(twin.distribution for twin in twins)
        return fault(made, f"{names} both claim the name {made.name!r}", "uninstall one of them")
    if not well_formed(made.name):
        return fault(made, "the name is not of the form [a-z][a-z0-9]*", "rename the entry point")
    if made.name in RESERVED:
        return fault(made, f"the name {made.name!r} is reserved for the kernel", "rename the entry point")
    if entry and entry.distribution and canonicalize_name(entry.distribution) != made.distribution:
        return fault(
            made,
            f"{entry.where} says that it comes from {entry.distribution}",
            "install that one, or correct `distribution`",
        )
    return unmet(made, twins[0].requires)


def unmet(made: Plugin, requires: Sequence[Requirement]) -> StartError | None:
    """The first requirement that what is installed does not meet."""
    if not any(canonicalize_name(requirement.name) == KERNEL for requirement in requires):
        return fault(made, f"it does not say which {KERNEL} it needs", f"require {KERNEL} in its pyproject.toml")
    for requirement in requires:
        try:
            present = version(requirement.name)
        except PackageNotFoundError:
            present = "nothing"
        if present == "nothing" or not requirement.specifier.contains(present, prereleases=True):
            what = f"it needs {requirement}, and {present} is installed"
            return fault(made, what, f"pip install '{requirement}'")
    return None


def with_needs(one: Plugin, metadata: Installed, plugins: Mapping[str, Plugin]) -> Plugin:
    """Add which plugins it needs, and refuse what is not enabled among them."""
    owners = {other.distribution: name for name, other in plugins.items()}
    required = {canonicalize_name(requirement.name) for requirement in metadata.requires}
    needs = tuple(sorted(owners[name] for name in required & owners.keys() if owners[name] != one.name))
    lost = [name for name in needs if not plugins[name].enabled]
    made = replace(one, needs=needs)
    if lost and one.enabled and not one.fault:
        cure = f"vinc plugins enable {lost[0]}, or disable {one.name}"
        return replace(made, fault=fault(made, f"it needs {lost[0]!r}, which is not enabled", cure, phase="order"))
    return made


def with_inherited_requirement(plugins: Mapping[str, Plugin]) -> dict[str, Plugin]:
    """What a required plugin needs is required, however plugins.toml calls it."""
    required: set[str] = set()
    waiting = [name for name, one in plugins.items() if one.required and one.enabled]
    while waiting:
        name = waiting.pop()
        if name not in required:
            required.add(name)
            waiting += plugins[name].needs
    return {name: replace(one, required=one.required or name in required) for name, one in plugins.items()}


def with_prefix_owners(plugins: Mapping[str, Plugin]) -> dict[str, Plugin]:
    """A granted prefix belongs to one plugin, and is nobody else's name: overlap would let order decide."""
    taken = [(f"/{name}", name) for name, one in plugins.items() if one.enabled]
    made = dict(plugins)
    for name, one in sorted(plugins.items()):
        for prefix in one.prefixes if one.enabled else ():
            other = next((owner for path, owner in taken if owner != name and overlap(prefix, path)), None)
            if other and not made[name].fault:
                what = f"the prefix {prefix!r} overlaps with what belongs to {other!r}"
                made[name] = replace(made[name], fault=fault(one, what, "give each a prefix of its own", phase="order"))
            taken.append((prefix, name))
    return made


def overlap(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def ordered(plugins: Mapping[str, Plugin]) -> list[Plugin]:
    """Dependencies first, stable by name; those in a cycle get a fault that shows its path."""
    done: dict[str, Plugin] = {}
    for name in sorted(plugins):
        visit(name, (), plugins, done)
    return list(done.values())


def visit(name: str, path: tuple[str, ...], plugins: Mapping[str, Plugin], done: dict[str, Plugin]) -> None:
    if name in done:
        return
    one = plugins[name]
    for needed in one.needs:
        if needed in (*path, name):
            trail = " > ".join([*path, name, needed][[*path, name].index(needed) :])
            cycle = fault(one, f"its requirements go in a circle: {trail}", "take one requirement out", phase="order")
            one = replace(one, fault=one.fault or cycle)
        else:
            visit(needed, (*path, name), plugins, done)
    broken = next((needed for needed in one.needs if needed in done and done[needed].fault), None)
    if broken and one.enabled and not one.fault:
        what = f"it needs {broken!r}, which cannot run"
        one = replace(one, fault=fault(one, what, f"see the line about {broken}", phase="order"))
    done[name] = one


def dependents(name: str, plugins: Iterable[Plugin]) -> list[str]:
    """The enabled plugins that need this one, directly or through others."""
    chosen = [one for one in plugins if one.enabled]
    found = {name}
    while more := {one.name for one in chosen if one.name not in found and found & set(one.needs)}:
        found |= more
    return sorted(found - {name})
