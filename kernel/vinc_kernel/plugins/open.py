"""Open plugins in order: look at their tables, enter their lifespans, note their health checks."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from ..database.versions import RevisionState
from ..errors import StartError
from ..registry import HealthCheck, Registry
from ..runtime import Runtime
from .arrange import Plugin
from .assemble import AssembledPlugin, Assembly
from .load import ask_health, enter, give_up, to_start_error
from .tables import plugins_behind, refuse_old_tables

logger = logging.getLogger("vinc.plugins")


async def open_plugins(assembly: Assembly, runtime: Runtime, stack: AsyncExitStack) -> None:
    """Open all; `stack` closes them in reverse. Raises StartError for a required one that cannot open."""
    old = await plugins_behind(runtime, [member.plugin for member in assembly.ready])
    for member in assembly.ready:
        own = await stack.enter_async_context(AsyncExitStack())
        await open_plugin(assembly, member, runtime, own, old.get(member.plugin.name))


async def open_plugin(
    assembly: Assembly, member: AssembledPlugin, runtime: Runtime, own: AsyncExitStack, old: RevisionState | None
) -> None:
    """Enter one plugin's lifespans; an optional one that cannot open keeps its routes, which answer 503."""
    plugin, app, registry = member.plugin, runtime.apps[member.plugin.name], runtime.registry
    own.callback(registry.withdraw, plugin.name)
    own.push_async_callback(registry.cancel_tasks, plugin.name)
    registry.states[plugin.name] = member.state
    try:
        refuse_without_needs(plugin, registry)
        refuse_old_tables(plugin, old, production=runtime.settings.service.env == "prod")
        for hook in assembly.hooks("lifespan", plugin.name):
            await enter(plugin, hook, app, own, runtime.settings.plugins.load_timeout)
        refuse_empty_promises(member, registry)
    except Exception as error:
        told = to_start_error(plugin, "lifespan", error)
        if plugin.required:
            raise told from error
        await give_up(plugin, own)
        state = registry.states[plugin.name]
        registry.states[plugin.name] = replace(state, state="quarantined", phase=told.phase, why=str(told))
        logger.warning("plugin %s is quarantined: %s", plugin.name, told)
        return
    own.push_async_callback(registry.cancel_tasks, plugin.name)  # before the lifespans close what it works with
    for hook in assembly.hooks("health", plugin.name):
        check = HealthCheck(name=plugin.name, required=plugin.required, ask=partial(ask_health, plugin, hook, app))
        registry.checks.append(check)
        own.callback(registry.checks.remove, check)


def refuse_without_needs(plugin: Plugin, registry: Registry) -> None:
    lost = next((name for name in plugin.needs if not registry.is_ready(name)), None)
    if lost is not None:
        what, cure = f"it needs {lost!r}, which is quarantined", f"see the line about {lost}"
        raise StartError(what, plugin=plugin.name, phase="lifespan", where=plugin.where, cure=cure)


def refuse_empty_promises(member: AssembledPlugin, registry: Registry) -> None:
    for protocol in member.contribution.provides:
        if registry.providers.get(protocol) != member.plugin.name:
            raise StartError(
                f"it promises a {protocol.__name__} and offers none",
                plugin=member.plugin.name,
                phase="lifespan",
                where=member.contribution.where,
                cure=f"call app.provide(thing, {protocol.__name__}) in its lifespan",
            )
