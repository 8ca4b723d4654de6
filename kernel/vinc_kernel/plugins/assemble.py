"""Load all plugins in order and check them as a whole; nothing runs yet, and nothing is ever undone.

An optional plugin that cannot be loaded has a fault by now (see `quarantine`): whatever fails here stops the start.
"""

from __future__ import annotations

import gc
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from ..context import MembershipDirectory, PrincipalDirectory
from ..database.base import Base
from ..database.versions import BrokenHistory, history_of, revisions
from ..endpoints import Place, endpoints
from ..errors import SettingsError, StartError, StartErrors
from ..settings import Origin, Settings, plugin_prefix, read_one, refuse_for_production
from . import check
from .arrange import Plugin, broken_need
from .assembly import Assembly, LoadedPlugin, LoadOptions
from .check import claims_of, conflicts
from .collect import contribution_of, new_manager, register
from .load import bounded, load, to_start_error
from .mappers import configure_all_mappers

logger = logging.getLogger("vinc.plugins")
DECIDING: frozenset[type] = frozenset({PrincipalDirectory, MembershipDirectory})  # who may come in, and do what


def assemble(plugins: Sequence[Plugin], options: LoadOptions) -> Assembly:
    """Return all plugins, with those loaded that have no fault; raises StartErrors that tell all failures at once."""
    assembly = load_plugins(plugins, options)
    if errors := [
        one.error for one in assembly.members if one.error and (one.plugin.required or one in assembly.failed)
    ]:
        raise StartErrors(errors)
    for one in assembly.members:
        if one.error:
            logger.warning("plugin %s is quarantined: %s", one.plugin.name, one.error)
    return assembly


def load_plugins(plugins: Sequence[Plugin], options: LoadOptions) -> Assembly:
    """Everything from import to check; failures stand in the plugins' `error`."""
    assembly = Assembly([LoadedPlugin(plugin, error=plugin.fault) for plugin in plugins], new_manager())
    with collector_paused():
        for one in assembly.ready:
            load_plugin(assembly, one, options)
            if options.is_trial and one.error and not one.plugin.required:
                return assembly
        check_together(assembly, options)
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


def load_plugin(assembly: Assembly, one: LoadedPlugin, options: LoadOptions) -> None:
    for phase, step in STEPS.items():
        options.report(one.plugin.name, phase)
        attempt(assembly, one, phase, partial(step, assembly, one, options))


def attempt(assembly: Assembly, one: LoadedPlugin, phase: str, step: Callable[[], None]) -> None:
    """Run one step for a plugin that has not failed, and whose needs have not."""
    try:
        if one.error is None:
            refuse_without_needs(assembly, one)
            step()
    except (Exception, SystemExit) as error:  # noqa: BLE001  a plugin may raise anything
        one.error = describe_error(assembly, one, phase, error)


def refuse_without_needs(assembly: Assembly, one: LoadedPlugin) -> None:
    for other in assembly.members:
        if other.error and other.plugin.name in one.plugin.needs:
            raise broken_need(one.plugin, other.plugin.name)


def describe_error(assembly: Assembly, one: LoadedPlugin, phase: str, error: BaseException) -> StartError:
    """The line about an error; for a table that is there already, with the name of whose it is."""
    described = to_start_error(one.plugin, phase, error)
    twice = re.search(r"Table '([^']+)' is already defined", described.what)
    if twice is None:
        return described
    owner = next((other for other in assembly.members if twice[1] in other.tables and other is not one), None)
    whose = f"{owner.plugin.name}'s" if owner else "its own"
    what, cure = f"the table {twice[1]!r} is already {whose}", "rename one of them"
    return StartError(what, plugin=one.plugin.name, phase=phase, where=described.where, cure=cure)


def import_plugin(assembly: Assembly, one: LoadedPlugin, options: LoadOptions) -> None:
    with noting_tables(assembly, one):
        module = load(one.plugin, options.seconds)
    # Registering runs what `dir` calls.
    bounded(one.plugin, "import", options.seconds, lambda: register(one.plugin, module, assembly.manager))


def collect(assembly: Assembly, one: LoadedPlugin, options: LoadOptions) -> None:
    """Routers and models are often imported only by `contribute`."""
    plugin = one.plugin
    with noting_tables(assembly, one):
        one.contribution = bounded(
            plugin, "contribute", options.seconds, lambda: contribution_of(plugin, assembly.manager)
        )
    if not plugin.required and (decides := DECIDING.intersection(one.contribution.provides)):
        one.plugin = replace(plugin, required=True)  # so that it stops the start
        what = f"it provides the {min(kind.__name__ for kind in decides)}, and without it everybody would be let in"
        cure = "take out required = false: nobody can be asked in its place"
        raise StartError(what, plugin=plugin.name, phase="contribute", where=plugin.where, cure=cure)


@contextmanager
def noting_tables(assembly: Assembly, one: LoadedPlugin) -> Iterator[None]:
    """Note whose the new tables are: a plugin may import another's models, and its own are its own then as well."""
    before = set(Base.metadata.tables)
    try:
        yield
    finally:
        for table in Base.metadata.tables.keys() - before:
            cls = None if table.startswith(f"{one.plugin.name}_") else check.class_of(table)
            owner = assembly.owner_of(cls.__module__) if cls else None
            (owner or one).tables.add(table)


def configure(_: Assembly, one: LoadedPlugin, options: LoadOptions) -> None:
    plugin, kind = one.plugin, one.contribution.settings
    if kind is not None:
        one.settings, one.origins = bounded(
            plugin, "settings", options.seconds, lambda: settings_of(plugin, kind, options)
        )
    elif plugin.settings:
        what = f"it has no settings, and {plugin.where} sets {', '.join(plugin.settings)}"
        raise StartError(what, plugin=plugin.name, phase="settings", where=plugin.where, cure="take them out")


def settings_of(plugin: Plugin, kind: type[Settings], options: LoadOptions) -> tuple[Settings, list[Origin]]:
    """A plugin's settings from all sources; raises StartError for bad ones, and for those that production forbids."""
    prefix = plugin_prefix(plugin.name)
    try:
        settings, origins = read_one(
            kind, options.sources, prefix=prefix, table=plugin.settings, table_name=plugin.where
        )
        if options.settings.service.env == "prod":
            refuse_for_production(settings)
    except SettingsError as error:
        what = "; ".join(error.lines)
        cure = "mend the setting"
        raise StartError(what, plugin=plugin.name, phase="settings", where=plugin.where, cure=cure) from None
    return settings, origins


def read_history(_: Assembly, one: LoadedPlugin, __: LoadOptions) -> None:
    """Read the plugin's revisions: serving compares them with the database, and migrations run them."""
    history = history_of(one.plugin.name, one.plugin.package)
    try:
        if history is not None:
            revisions(history)
    except BrokenHistory as error:
        raise StartError(
            error.what, plugin=one.plugin.name, phase="histories", where=error.where, cure=error.cure
        ) from None


def place(_: Assembly, one: LoadedPlugin, options: LoadOptions) -> None:
    """Give the routes their final paths, and refuse names that cannot be the plugin's own."""
    plugin, contribution = one.plugin, one.contribution
    check.own_tables(plugin, one.tables)
    at = Place(
        plugin=plugin.name,
        prefix=options.settings.service.api_prefix,
        own=plugin.prefixes,
        overrides=options.overrides,
        where=contribution.where,
    )
    one.endpoints = list(endpoints(at, contribution.routers))
    check.uncontributed(plugin, contribution, one.tables)
    one.claims = list(claims_of(plugin, contribution, one.endpoints))


STEPS = {
    "import": import_plugin,
    "contribute": collect,
    "settings": configure,
    "histories": read_history,
    "check": place,
}


def check_together(assembly: Assembly, options: LoadOptions) -> None:
    """Who owns which name, and whether everything that guards ask for is contributed by somebody who runs."""
    for name, error in conflicts([(one.plugin, one.claims) for one in assembly.ready]).items():
        next(one for one in assembly.members if one.plugin.name == name).error = error
    configure_all_mappers(assembly, options)
    before = -1
    while len(assembly.ready) != before:  # who fails takes names along, which another may ask for
        before = len(assembly.ready)
        declared = check.Declared.of([one.contribution for one in assembly.ready])
        for one in assembly.ready:
            attempt(assembly, one, "check", partial(check.undeclared, one.plugin, one.endpoints, declared))
