"""Decide which plugins run, and in which order, from metadata and plugins.toml alone."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ..errors import StartError, StartErrors
from ..manifest import Entry, Manifest, read_manifest
from ..settings import KernelSettings
from .find import KERNEL, RESERVED, Installed, find, well_formed

logger = logging.getLogger("vinc.plugins")
DOCUMENTS = ("/docs", "/openapi.json")  # the kernel's own addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A plugin as metadata and plugins.toml show it: `fault` is why it cannot run, `why` why it is not enabled.

    Of a plugin that failed in a trial: `listens` are the kinds of events that its hooks listen to, and `hooks` their
    names; None: not known.
    """

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
    listens: tuple[str, ...] = ()
    hooks: tuple[str, ...] | None = None

    def owns(self, module: str) -> bool:
        return f"{module}.".startswith(f"{self.package}.")

    def error(self, phase: str, what: str, cure: str, where: str = "") -> StartError:
        return StartError(what, plugin=self.name, phase=phase, where=where or self.where, cure=cure)


def arrange(settings: KernelSettings) -> list[Plugin]:
    """The enabled plugins in order, with the optional ones that cannot run; raises StartErrors for required ones."""
    plugins = enabled(settings)
    if faults := [plugin.fault for plugin in plugins if plugin.fault and plugin.required]:
        raise StartErrors(faults)
    return plugins


def enabled(settings: KernelSettings) -> list[Plugin]:
    """The enabled plugins in order, each with its fault; raises StartErrors for those that are not installed."""
    manifest, found = read_manifest(settings), find()
    if manifest.path is None:
        logger.info("there is no plugins.toml: every installed plugin runs")
    if errors := unknown(found, manifest):
        raise StartErrors(errors)
    return [plugin for plugin in survey(found, manifest) if plugin.enabled]


def idle(settings: KernelSettings) -> list[str]:
    return [plugin.name for plugin in survey(find(), read_manifest(settings)) if not plugin.enabled]


def unknown(found: Sequence[Installed], manifest: Manifest) -> list[StartError]:
    """One error for each plugin that is to run and is not installed."""
    names = {one.name for one in found}
    return [
        StartError(
            "there is no such plugin installed",
            plugin=name,
            phase="find",
            where=entry.where,
            cure=f"did you mean {near[0]!r}?" if (near := get_close_matches(name, names, 1)) else "install it",
        )
        for name, entry in manifest.entries.items()
        if name not in names and entry.enabled
    ]


def survey(found: Sequence[Installed], manifest: Manifest) -> list[Plugin]:
    """Every installed plugin in order, enabled or not, each with its fault."""
    by_name: dict[str, list[Installed]] = defaultdict(list)
    together: dict[str, set[str]] = defaultdict(set)
    for one in sorted(found, key=lambda one: (one.name, one.distribution)):
        by_name[one.name].append(one)
        together[one.distribution].add(one.name)
    plugins = {name: plugin(twins, together[twins[0].distribution], manifest) for name, twins in by_name.items()}
    owners = {distribution: min(names) for distribution, names in together.items()}
    plugins = {name: with_needs(one, by_name[name][0], plugins, owners) for name, one in plugins.items()}
    plugins = with_inherited_requirement(plugins)
    plugins = with_prefix_owners(plugins)
    return with_broken_needs(ordered(plugins))


def plugin(twins: list[Installed], siblings: set[str], manifest: Manifest) -> Plugin:
    one = twins[0]
    entry = Entry(name=one.name, where=one.where, enabled=manifest.path is None)
    entry, is_listed = manifest.entries.get(one.name, entry), one.name in manifest.entries
    why = f"enabled = false in {manifest.path}" if is_listed else f"not listed in {manifest.path}"
    made = Plugin(
        name=one.name,
        module=one.module,
        package=one.package,
        distribution=one.distribution,
        version=one.version,
        enabled=entry.enabled,
        required=entry.required,
        why="" if entry.enabled else why,
        prefixes=entry.prefixes,
        settings=entry.settings,
        where=entry.where,
    )
    return replace(made, fault=fault_of(made, twins, siblings, entry))


def fault(of: Plugin, what: str, cure: str, *, phase: str = "find") -> StartError:
    return of.error(phase, what, cure, f"{of.distribution} {of.version}")


def fault_of(made: Plugin, twins: list[Installed], siblings: set[str], entry: Entry) -> StartError | None:
    """What is wrong with a plugin by itself, whatever else is enabled."""
    if len(twins) > 1:
        names = " and ".join(twin.distribution for twin in twins)
        return fault(made, f"{names} both claim the name {made.name!r}", "uninstall one of them")
    if len(siblings) > 1:
        what = f"its distribution has {len(siblings)} plugins: {', '.join(sorted(siblings))}"
        return fault(made, what, "make a distribution of each")
    if twins[0].invalid:
        return fault(made, f"its metadata is not valid: {twins[0].invalid}", "build it again")
    return misnamed(made, entry) or unmet(made, twins[0])


def misnamed(made: Plugin, entry: Entry) -> StartError | None:
    """What is wrong with its names: its own, its module's, its distribution's."""
    if not well_formed(made.name):
        return fault(made, "the name is not of the form [a-z][a-z0-9]*", "rename the entry point")
    if made.name in RESERVED:
        return fault(made, f"the name {made.name!r} is reserved for the kernel", "rename the entry point")
    if entry.distribution and canonicalize_name(entry.distribution) != made.distribution:
        what = f"{entry.where} says that it comes from {entry.distribution}"
        return fault(made, what, "install that one, or correct `distribution`")
    if not all(part.isidentifier() for part in made.module.split(".")):
        what = f"its entry point is {made.module!r}, which is no module"
        return fault(made, what, "name the module <package>.plugin")
    return None


def unmet(made: Plugin, metadata: Installed) -> StartError | None:
    """The first requirement that what is installed does not meet."""
    if not any(canonicalize_name(requirement.name) == KERNEL for requirement in metadata.requires):
        return fault(made, f"it does not say which {KERNEL} it needs", f"require {KERNEL} in its pyproject.toml")
    for requirement in metadata.requires:
        present = installed_version(requirement.name)
        if present is None or not requirement.specifier.contains(present, prereleases=True):
            what = f"it needs {requirement}, and {present or 'nothing'} is installed"
            return fault(made, what, f"pip install '{requirement}'")
    return None


def installed_version(distribution: str) -> Version | None:
    try:
        return Version(version(distribution))
    except (PackageNotFoundError, InvalidVersion, UnicodeDecodeError, TypeError):  # or its METADATA cannot be read
        return None


def with_needs(one: Plugin, metadata: Installed, plugins: Mapping[str, Plugin], owners: Mapping[str, str]) -> Plugin:
    """Add which plugins it needs, and refuse what is not enabled among them; `owners` are plugins by distribution."""
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
    """Refuse a granted prefix that is also the prefix or the root of another plugin; it may lie below either."""
    running = [one for one in plugins.values() if one.enabled]
    granted = [(prefix, one) for one in running for prefix in one.prefixes]
    made = dict(plugins)
    for prefix, one in granted:
        # Of two equals neither wins; a required one keeps its prefix against optional ones.
        rivals = [other for path, other in granted if shape_of(path) == shape_of(prefix)]
        owners = [other.name for other in running if prefix == f"/{other.name}"]
        owners += [other.name for other in rivals if other.required or not one.required]
        owners += ["the kernel" for path in DOCUMENTS if f"{prefix}/".startswith(f"{path}/")]
        other = next((name for name in owners if name != one.name), None)
        if other and not made[one.name].fault:
            what = f"the prefix {prefix!r} overlaps with what belongs to {other!r}"
            refused = fault(one, what, "give each a prefix of its own", phase="order")
            made[one.name] = replace(made[one.name], fault=refused)
    return made


def shape_of(prefix: str) -> str:
    """Return a prefix without the names of its parameters."""
    return re.sub(r"{\w+}", "{}", prefix)


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
    done[name] = one


def with_broken_needs(plugins: Iterable[Plugin]) -> list[Plugin]:
    """Add a fault to each enabled plugin that needs one with a fault; the plugins are in order."""
    done: dict[str, Plugin] = {}
    for one in plugins:
        done[one.name] = one
        broken = next((needed for needed in one.needs if needed in done and done[needed].fault), None)
        if broken and one.enabled and not one.fault:
            done[one.name] = replace(one, fault=broken_need(one, broken))
    return list(done.values())


def broken_need(one: Plugin, needed: str) -> StartError:
    return fault(one, f"it needs {needed!r}, which cannot run", f"see the line about {needed}", phase="order")


def dependents(name: str, plugins: Iterable[Plugin]) -> list[str]:
    """The enabled plugins that need this one, directly or through others."""
    chosen = [one for one in plugins if one.enabled]
    found = {name}
    while more := {one.name for one in chosen if one.name not in found and found & set(one.needs)}:
        found |= more
    return sorted(found - {name})
