"""Load all plugins in order, and check them together; nothing is ever undone.

An optional plugin that cannot be loaded has a fault by now (see `trials`): whatever fails here stops the start.
"""

from __future__ import annotations

import gc
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pluggy
from sqlalchemy.orm import configure_mappers

from ..context import MembershipDirectory, PrincipalDirectory
from ..contracts import Contribution
from ..database.base import Base
from ..database.versions import BrokenHistory, history_of, revisions
from ..endpoints import Endpoint, RouteLocation, make_endpoints
from ..errors import SettingsError, StartError, StartErrors
from ..hookspecs import HOOKS, kind_of, on
from ..openapi import part
from ..registry import PluginState
from ..runtime import LoadedPlugin
from ..settings import (
    KernelSettings,
    Origin,
    Settings,
    Sources,
    plugin_prefix,
    read_one,
    refuse_for_production,
    unknown_names,
)
from .arrange import Plugin, broken_need, idle
from .check import (
    Claim,
    Declared,
    claims_of,
    conflicts,
    refuse_tables,
    refuse_undeclared,
    refuse_variadic,
    shared_names,
    shared_paths,
    table_class,
)
from .collect import contribution_of, implementations, new_manager, register
from .describe import refuse_undescribed
from .load import bounded, to_start_error

logger = logging.getLogger("vinc.plugins")
DECIDING: frozenset[type] = frozenset({PrincipalDirectory, MembershipDirectory})  # who may come in, and do what


@dataclass(slots=True, eq=False)
class AssembledPlugin:
    """One plugin on its way from metadata to ready; `error` is why it does not run, `tables` what came with it."""

    plugin: Plugin
    contribution: Contribution = field(default_factory=Contribution)
    endpoints: list[Endpoint] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    settings: Settings | None = None
    origins: list[Origin] = field(default_factory=list)
    tables: set[str] = field(default_factory=set)
    error: StartError | None = None

    @property
    def state(self) -> PluginState:
        plugin = self.plugin
        state = PluginState(name=plugin.name, version=plugin.version, listens=plugin.listens, hooks=plugin.hooks)
        return state.quarantined(self.error) if self.error else state


@dataclass(slots=True, eq=False)
class Assembly:
    """All plugins of one application, loaded and checked, and nothing running yet."""

    members: list[AssembledPlugin]
    manager: pluggy.PluginManager

    @property
    def ready(self) -> list[AssembledPlugin]:
        return [one for one in self.members if one.error is None]

    @property
    def failed(self) -> list[AssembledPlugin]:
        """Those that failed in this process."""
        return [one for one in self.members if one.error and one.plugin.fault is None]

    def unread(self, sources: Sources, settings: KernelSettings) -> list[str]:
        """One line for each `VINC_` name that neither the kernel nor a plugin reads."""
        declared = {one.plugin.name: one.contribution.settings for one in self.members}
        return unknown_names(sources, declared, partial(idle, settings))

    def loaded(self, member: AssembledPlugin) -> LoadedPlugin:
        name = member.plugin.name
        return LoadedPlugin(
            name=name,
            contribution=member.contribution,
            settings=member.settings,
            hooks={hook: found for hook in HOOKS if (found := self.hooks(hook, name))},
            listeners=[(kind_of(one), one) for one in self.hooks(on.name, name)],
        )

    def hooks(self, name: str, plugin: str) -> list[Callable[..., Any]]:
        return implementations(self.manager, name, plugin)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """What loading needs; `overrides` is what FastAPI asks for `dependency_overrides`.

    `report` is called with plugin and phase before each step. A trial ends with the first optional plugin that fails:
    what it left behind could make later ones fail.
    """

    settings: KernelSettings
    sources: Sources
    overrides: Any = None
    is_trial: bool = False
    report: Callable[[str, str], None] = lambda _plugin, _phase: None

    @property
    def seconds(self) -> float:
        return self.settings.plugins.load_timeout


def assemble(plugins: Sequence[Plugin], options: LoadOptions) -> Assembly:
    """Load all plugins that have no fault; raises StartErrors that tell all failures at once."""
    assembly = load_plugins(plugins, options)
    if errors := [one.error for one in assembly.members if one.error and (one.plugin.required or not one.plugin.fault)]:
        raise StartErrors(errors)
    for one in assembly.members:
        if one.error:
            logger.warning("plugin %s is quarantined: %s", one.plugin.name, one.error)
    return assembly


def load_plugins(plugins: Sequence[Plugin], options: LoadOptions) -> Assembly:
    """Everything from import to check; why a plugin failed is its `error`."""
    assembly = Assembly([AssembledPlugin(plugin, error=plugin.fault) for plugin in plugins], new_manager())
    with collector_paused():
        for one in assembly.ready:
            for phase, step in STEPS:
                options.report(one.plugin.name, phase)
                attempt(assembly, one, phase, partial(step, assembly, one, options))
            if options.is_trial and one.error and not one.plugin.required:
                return assembly
        check_together(assembly, options.settings.service.api_prefix)
    return assembly


@contextmanager
def collector_paused() -> Iterator[None]:
    """Thousands of routes are made here and all stay: looking for garbage among them takes a third of the start."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def attempt(assembly: Assembly, one: AssembledPlugin, phase: str, step: Callable[[], object]) -> None:
    """Run one step, unless the plugin has failed; one that needs a plugin that failed fails."""
    broken = next((other for other in assembly.members if other.error and other.plugin.name in one.plugin.needs), None)
    if one.error is None and broken:
        one.error = broken_need(one.plugin, broken.plugin.name)
    if one.error is not None:
        return
    try:
        step()
    except (Exception, SystemExit) as error:  # noqa: BLE001  a plugin may raise anything
        one.error = describe_error(assembly, one, phase, error)


def describe_error(assembly: Assembly, one: AssembledPlugin, phase: str, error: BaseException) -> StartError:
    """The line about an error; for a table that is there already, with the name of whose it is."""
    described = to_start_error(one.plugin, phase, error)
    twice = re.search(r"Table '([^']+)' is already defined", described.what)
    if twice is None:
        return described
    owner = next((other for other in assembly.members if twice[1] in other.tables and other is not one), None)
    whose = f"{owner.plugin.name}'s" if owner else "its own"
    what = f"the table {twice[1]!r} is already {whose}"
    return one.plugin.error(phase, what, "rename one of them", described.where)


def import_plugin(assembly: Assembly, one: AssembledPlugin, options: LoadOptions) -> None:
    plugin = one.plugin
    with noting_tables(assembly, one):
        bounded(plugin, "import", options.seconds, lambda: register(plugin, assembly.manager))


def collect(assembly: Assembly, one: AssembledPlugin, options: LoadOptions) -> None:
    """Ask for the contribution; routers and models are often imported only by it."""
    plugin = one.plugin
    with noting_tables(assembly, one):
        contribution = bounded(plugin, "contribute", options.seconds, lambda: contribution_of(plugin, assembly.manager))
    if not plugin.required and (decides := DECIDING.intersection(contribution.provides)):
        one.plugin = replace(plugin, required=True)  # so that it stops the start
        what = f"it provides the {min(kind.__name__ for kind in decides)}, and without it everybody would be let in"
        cure = "take out required = false: nobody can be asked in its place"
        raise plugin.error("contribute", what, cure)
    one.contribution = contribution


@contextmanager
def noting_tables(assembly: Assembly, one: AssembledPlugin) -> Iterator[None]:
    """Note whose the new tables are: this plugin's, or another's whose models it has imported."""
    before, members = set(Base.metadata.tables), {other.plugin.name: other for other in assembly.members}
    try:
        yield
    finally:
        for table in Base.metadata.tables.keys() - before:
            named = members.get(table.partition("_")[0], one)
            cls = None if named is one else table_class(table)
            (named if cls and named.plugin.owns(cls.__module__) else one).tables.add(table)


def configure(_: Assembly, one: AssembledPlugin, options: LoadOptions) -> None:
    plugin, kind = one.plugin, one.contribution.settings
    if kind is not None:
        read = partial(settings_of, plugin, kind, options)
        one.settings, one.origins = bounded(plugin, "settings", options.seconds, read)
    elif plugin.settings:
        what = f"it has no settings, and {plugin.where} sets {', '.join(plugin.settings)}"
        raise plugin.error("settings", what, "take them out")


def settings_of(plugin: Plugin, kind: type[Settings], options: LoadOptions) -> tuple[Settings, list[Origin]]:
    """A plugin's settings from all sources; raises StartError for bad ones, and for those that production forbids."""
    prefix, table = plugin_prefix(plugin.name), plugin.settings
    try:
        settings, origins = read_one(kind, options.sources, prefix=prefix, table=table, table_name=plugin.where)
        if options.settings.service.env == "prod":
            refuse_for_production(settings)
    except SettingsError as error:
        raise plugin.error("settings", "; ".join(error.lines), "mend the setting") from None
    return settings, origins


def read_history(_: Assembly, one: AssembledPlugin, __: LoadOptions) -> None:
    """Read the revisions, so that broken ones are found without a database."""
    try:
        if history := history_of(one.plugin.name, one.plugin.package):
            revisions(history)
    except BrokenHistory as error:
        raise one.plugin.error("histories", error.what, error.cure, error.where) from None


def place(_: Assembly, one: AssembledPlugin, options: LoadOptions) -> None:
    """Give the routes their final paths, and refuse names that cannot be the plugin's own."""
    plugin, contribution = one.plugin, one.contribution
    location = RouteLocation(
        plugin=plugin.name,
        prefix=options.settings.service.api_prefix,
        granted=plugin.prefixes,
        overrides=options.overrides,
        where=contribution.where,
    )
    refuse_tables(plugin, contribution, one.tables)
    refuse_variadic(plugin, contribution)
    one.endpoints = list(make_endpoints(location, contribution.routers))
    one.claims = list(claims_of(plugin, contribution, one.endpoints))


def describe(_: Assembly, one: AssembledPlugin, options: LoadOptions) -> None:
    """Refuse what OpenAPI cannot tell; a whole document takes a millisecond a route, so only a trial makes it."""

    def work() -> None:
        refuse_undescribed(one.plugin, one.endpoints)
        if options.is_trial and not one.plugin.required:
            part(one.plugin.name, one.endpoints, (), options.settings.service.tenant_header)

    bounded(one.plugin, "check", options.seconds, work, one.contribution.where)


def map_classes(assembly: Assembly, one: AssembledPlugin, options: LoadOptions) -> None:
    """Configure the mappers before the first query does; after a failure all of them fail, whoever asks."""
    if one.contribution.models and not assembly.failed:
        bounded(one.plugin, "check", options.seconds, configure_mappers, one.contribution.where)


STEPS = (
    ("import", import_plugin),
    ("contribute", collect),
    ("settings", configure),
    ("histories", read_history),
    ("check", place),
    ("check", describe),
    ("check", map_classes),
)


def check_together(assembly: Assembly, prefix: str) -> None:
    """Who owns which name, and whether everything that guards ask for is contributed by somebody who runs."""
    claimed = [(one.plugin, claim) for one in assembly.ready for claim in one.claims]
    placed = [(one.plugin, one.endpoints) for one in assembly.ready]
    errors = conflicts([*shared_names(claimed), *shared_paths(placed, prefix)])
    for one in assembly.ready:
        one.error = errors.get(one.plugin.name)
    before = -1
    while len(assembly.ready) != before:  # who fails takes names along, which another may ask for
        before = len(assembly.ready)
        declared = Declared.of([one.contribution for one in assembly.ready])
        for one in assembly.ready:
            attempt(assembly, one, "check", partial(refuse_undeclared, one.plugin, one.endpoints, declared))
