"""Open plugins in order: look at their tables, enter their lifespans, note their health checks."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from functools import partial

from ..database.versions import RevisionState, history_of, read_states, revisions
from ..errors import StartError
from ..registry import HealthCheck, Registry
from ..runtime import Runtime
from .arrange import Plugin
from .assemble import AssembledPlugin, Assembly
from .load import ask_health, enter, leave, to_start_error

logger = logging.getLogger("vinc.plugins")


async def open_plugins(assembly: Assembly, runtime: Runtime, stack: AsyncExitStack) -> None:
    """Open all; `stack` closes them in reverse. Raises StartError for a required one that cannot open."""
    behind = await plugins_behind(runtime, [member.plugin for member in assembly.ready])
    for member in assembly.ready:
        own = await stack.enter_async_context(AsyncExitStack())
        await open_plugin(assembly, member, runtime, own, behind.get(member.plugin.name))


async def plugins_behind(runtime: Runtime, plugins: Iterable[Plugin]) -> dict[str, RevisionState]:
    histories = {one.name: revisions(found) for one in plugins if (found := history_of(one.name, one.package))}
    if runtime.postgres is None or not histories:
        return {}
    connection = await runtime.postgres.connections.acquire()
    try:
        return {state.plugin: state for state in await read_states(connection, histories) if state.is_behind}
    finally:
        runtime.postgres.connections.release(connection)


async def open_plugin(
    assembly: Assembly, member: AssembledPlugin, runtime: Runtime, own: AsyncExitStack, behind: RevisionState | None
) -> None:
    """Enter one plugin's lifespans; an optional one that cannot open keeps its routes, which answer 503."""
    plugin, app, registry = member.plugin, runtime.apps[member.plugin.name], runtime.registry
    seconds, cancel_tasks = runtime.settings.plugins.load_timeout, partial(registry.cancel_tasks, plugin.name)
    own.callback(registry.withdraw, plugin.name)
    own.push_async_exit(partial(leave, plugin, cancel_tasks, seconds, plugin.where))
    registry.states[plugin.name] = member.state
    try:
        refuse_without_needs(plugin, registry)
        refuse_old_tables(plugin, behind, production=runtime.settings.service.env == "prod")
        for hook in assembly.hooks("lifespan", plugin.name):
            await enter(plugin, hook, app, own, seconds)
        refuse_empty_promises(member, registry)
    except Exception as error:
        described = to_start_error(plugin, "lifespan", error)
        if plugin.required:
            raise described from error
        with suppress(StartError):  # it is logged, and changes nothing any more
            await own.aclose()
        registry.states[plugin.name] = registry.states[plugin.name].quarantined(described)
        logger.warning("plugin %s is quarantined: %s", plugin.name, described)
        return
    # Before the lifespans close what they work with.
    own.push_async_exit(partial(leave, plugin, cancel_tasks, seconds, plugin.where))
    for hook in assembly.hooks("health", plugin.name):
        check = HealthCheck(name=plugin.name, required=plugin.required, ask=partial(ask_health, plugin, hook, app))
        registry.checks.append(check)
        own.callback(registry.checks.remove, check)


def refuse_old_tables(plugin: Plugin, behind: RevisionState | None, *, production: bool) -> None:
    """Raise StartError in production when the plugin's tables are older than its code; elsewhere warn."""
    if behind is None:
        return
    error = plugin.error("database", str(behind), "run: vinc db upgrade")
    if production:
        raise error
    logger.warning("%s", error)


def refuse_without_needs(plugin: Plugin, registry: Registry) -> None:
    lost = next((name for name in plugin.needs if not registry.is_ready(name)), None)
    if lost is not None:
        raise plugin.error("lifespan", f"it needs {lost!r}, which is quarantined", f"see the line about {lost}")


def refuse_empty_promises(member: AssembledPlugin, registry: Registry) -> None:
    for protocol in member.contribution.provides:
        if registry.providers.get(protocol) != member.plugin.name:
            what = f"it promises a {protocol.__name__} and offers none"
            cure = f"call app.provide(thing, {protocol.__name__}) in its lifespan"
            raise member.plugin.error("lifespan", what, cure, member.contribution.where)
