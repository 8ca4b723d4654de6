"""Load, collect and check all plugins; a required one that fails stops the start, an optional one is quarantined."""

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

from ..context import MembershipDirectory, PrincipalDirectory
from ..contracts import Contribution
from ..endpoints import Endpoint, RouteLocation, make_endpoints
from ..errors import SettingsError, StartError, StartErrors
from ..hookspecs import HOOKS, kind_of, on
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
from . import check
from .arrange import Plugin, idle
from .check import Claim, claims_of, conflicts
from .collect import contribution_of, implementations, new_manager, register
from .load import bounded, failure, load, text_of
from .mapping import failed_mapping
from .traces import Ledger, Traces

logger = logging.getLogger("vinc.plugins")
DECIDING: frozenset[type] = frozenset({PrincipalDirectory, MembershipDirectory})  # who may come in, and do what


@dataclass(slots=True, eq=False)
class Member:
    """One plugin on its way from metadata to ready."""

    plugin: Plugin
    contribution: Contribution = field(default_factory=Contribution)
    endpoints: list[Endpoint] = field(default_factory=list)
    settings: Settings | None = None
    origins: list[Origin] = field(default_factory=list)
    error: StartError | None = None

    @property
    def state(self) -> PluginState:
        ready = self.error is None
        return PluginState(
            name=self.plugin.name,
            version=self.plugin.version,
            state="ready" if ready else "quarantined",
            phase="" if self.error is None else self.error.phase,
            why="" if self.error is None else str(self.error),
        )


@dataclass(slots=True, eq=False)
class Assembly:
    """All plugins of one application, loaded and checked, and nothing running yet."""

    members: list[Member]
    manager: pluggy.PluginManager
    ledger: Ledger

    @property
    def ready(self) -> list[Member]:
        return [member for member in self.members if member.error is None]

    def traces(self, member: Member) -> Traces:
        return self.ledger.of[member.plugin.name]

    def unread(self, sources: Sources, settings: KernelSettings) -> list[str]:
        """One line for each `VINC_` name that neither the kernel nor a plugin reads."""
        declared = {one.plugin.name: one.contribution.settings for one in self.members}
        return unknown_names(sources, declared, partial(idle, settings))

    def loaded(self, member: Member) -> LoadedPlugin:
        """Return what the runtime keeps of a plugin."""
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
class Assembling:
    """What assembling needs; `overrides` is what FastAPI asks for `dependency_overrides`.

    `tell` hears plugin and phase before each step, for whoever watches over a process that a plugin may end.
    """

    settings: KernelSettings
    sources: Sources
    overrides: Any = None
    tell: Callable[[str, str], None] = lambda _plugin, _phase: None


def assemble(plugins: Sequence[Plugin], given: Assembling) -> Assembly:
    """Everything from import to check; raises StartErrors that tell all failures of required plugins at once."""
    made = Assembly([Member(plugin, error=plugin.fault) for plugin in plugins], new_manager(), Ledger(plugins))
    with collector_paused():
        for phase, step in (("import", bring_in), ("contribute", collect), ("settings", configure), ("check", place)):
            for member in made.members:
                given.tell(member.plugin.name, phase)
                attempt(made, member, phase, partial(step, made, member, given))
        settle(made, given)
    if fatal := [member.error for member in made.members if member.error and member.plugin.required]:
        raise StartErrors(fatal)
    for member in made.members:
        if member.error:
            logger.warning("plugin %s is quarantined: %s", member.plugin.name, member.error)
    return made


def settle(made: Assembly, given: Assembling) -> None:
    """Who owns which name, and whether everything that guards ask for is contributed by somebody who runs."""
    claims: dict[str, list[Claim]] = {}

    def collect_claims(member: Member) -> None:
        claims[member.plugin.name] = list(claims_of(member.plugin, member.contribution, member.endpoints))

    def keep_apart(member: Member) -> None:
        if member.plugin.name in shared:
            raise shared[member.plugin.name]

    for member in made.members:
        attempt(made, member, "check", partial(collect_claims, member))
    shared = conflicts({one.plugin.name: (one.plugin, claims[one.plugin.name]) for one in made.ready})
    for member in made.members:
        attempt(made, member, "check", partial(keep_apart, member))
    before = -1
    while len(made.ready) != before:  # who is put aside takes its names along, which another may ask for
        before = len(made.ready)
        configure_mappers(made, given)
        declared = check.Declared.of([one.contribution for one in made.ready])
        for member in made.members:
            attempt(made, member, "check", partial(check.undeclared, member.plugin, member.endpoints, declared))


def configure_mappers(made: Assembly, given: Assembling) -> None:
    """One mapper that cannot be configured fails the first query of everybody, so its plugin goes, and they again."""
    made.ledger.enter()
    for member in made.members:
        if member.error:
            made.traces(member).remove()  # what a thread of it has declared since
    members = {member.plugin.name: member for member in made.members}
    for _ in made.members:
        error = failed_mapping(made.ledger, given.settings.plugins.load_timeout)
        if error is None:
            return
        put_aside(made, members[error.plugin], error)
        for member in made.members:
            attempt(made, member, "check", lambda: None)  # those that need it go with it


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


def attempt(made: Assembly, member: Member, phase: str, step: Callable[[], None]) -> None:
    """Run one step for one plugin; what it raises puts the plugin aside, and those that need it."""
    if member.error is not None:
        return
    try:
        refuse_without_needs(made, member, phase)
        step()
    except (Exception, SystemExit) as error:  # noqa: BLE001  a plugin may raise anything; it is told, and put aside
        put_aside(made, member, told(made, member, phase, error))


def refuse_without_needs(made: Assembly, member: Member, phase: str) -> None:
    lost = next((one.plugin.name for one in made.members if one.error and one.plugin.name in member.plugin.needs), None)
    if lost is not None:
        what, cure = f"it needs {lost!r}, which is quarantined", f"see the line about {lost}"
        raise StartError(what, plugin=member.plugin.name, phase=phase, where=member.plugin.where, cure=cure)


def told(made: Assembly, member: Member, phase: str, error: BaseException) -> StartError:
    """The line about an error; for a table that is there already, with the name of whose it is."""
    text = error.what if isinstance(error, StartError) else text_of(error)
    twice = re.search(r"Table '([^']+)' is already defined", text)
    if twice is None:
        return failure(member.plugin, phase, error)
    table = twice[1]
    owner = next((one for one in made.members if table in made.traces(one).tables and one is not member), None)
    where = error.where if isinstance(error, StartError) else member.plugin.where
    whose = f"{owner.plugin.name}'s" if owner else "its own"
    what = f"the table {table!r} is already {whose}"
    return StartError(what, plugin=member.plugin.name, phase=phase, where=where, cure="rename one of them")


def put_aside(made: Assembly, member: Member, error: StartError) -> None:
    """Leave the application as if this plugin were not there."""
    member.error = error
    member.endpoints, member.contribution, member.settings = [], Contribution(), None
    if made.manager.has_plugin(member.plugin.name):
        made.manager.unregister(name=member.plugin.name)
    made.traces(member).remove()


def bring_in(made: Assembly, member: Member, given: Assembling) -> None:
    plugin, seconds = member.plugin, given.settings.plugins.load_timeout
    with made.ledger.record(plugin):
        module = load(plugin, seconds)
    check.own_tables(plugin, made.traces(member).tables)
    bounded(plugin, "import", seconds, lambda: register(plugin, module, made.manager))  # it runs what `dir` calls


def collect(made: Assembly, member: Member, given: Assembling) -> None:
    """Routers and models are often imported only by `contribute`, so it leaves traces like the import."""
    plugin, seconds = member.plugin, given.settings.plugins.load_timeout
    with made.ledger.record(plugin):
        member.contribution = bounded(plugin, "contribute", seconds, lambda: contribution_of(plugin, made.manager))
    if not plugin.required and (asked := DECIDING.intersection(member.contribution.provides)):
        member.plugin = replace(plugin, required=True)  # so that it stops the start
        what = f"it provides the {min(one.__name__ for one in asked)}, and without it everybody would be let in"
        cure = "take out required = false: nobody can be asked in its place"
        raise StartError(what, plugin=plugin.name, phase="contribute", where=plugin.where, cure=cure)
    check.own_tables(plugin, made.traces(member).tables)


def configure(_: Assembly, member: Member, given: Assembling) -> None:
    plugin, kind = member.plugin, member.contribution.settings
    if kind is None:
        if plugin.settings:
            what = f"it has no settings, and {plugin.where} sets {', '.join(plugin.settings)}"
            raise StartError(what, plugin=plugin.name, phase="settings", where=plugin.where, cure="take them out")
        return
    member.settings, member.origins = bounded(
        plugin, "settings", given.settings.plugins.load_timeout, lambda: settings_of(plugin, kind, given)
    )


def settings_of(plugin: Plugin, kind: type[Settings], given: Assembling) -> tuple[Settings, list[Origin]]:
    """A plugin's settings from all sources; raises StartError for bad ones, and for those that production forbids."""
    prefix = plugin_prefix(plugin.name)
    try:
        made, origins = read_one(kind, given.sources, prefix=prefix, table=plugin.settings, table_name=plugin.where)
        if given.settings.service.env == "prod":
            refuse_for_production(made)
    except SettingsError as error:
        what = "; ".join(error.lines)
        cure = "mend the setting"
        raise StartError(what, plugin=plugin.name, phase="settings", where=plugin.where, cure=cure) from None
    return made, origins


def place(made: Assembly, member: Member, given: Assembling) -> None:
    plugin, contribution = member.plugin, member.contribution
    location = RouteLocation(
        plugin=plugin.name,
        prefix=given.settings.service.api_prefix,
        granted=plugin.prefixes,
        overrides=given.overrides,
        where=contribution.where,
    )
    member.endpoints = list(make_endpoints(location, contribution.routers))
    check.uncontributed(plugin, contribution, made.traces(member).tables)
