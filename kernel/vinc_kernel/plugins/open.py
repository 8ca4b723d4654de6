"""Open plugins in order: look at their tables, enter their lifespans, note their health checks."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from ..database.versions import RevisionState
from ..errors import StartError
from ..services import App, HealthCheck, Services
from .arrange import Plugin
from .assemble import Assembly, Member
from .load import ask_health, enter, failure, give_up
from .tables import plugins_behind, refuse_old_tables

logger = logging.getLogger("vinc.plugins")


async def open_plugins(assembly: Assembly, services: Services, stack: AsyncExitStack) -> None:
    """Open all; `stack` closes them in reverse. Raises StartError for a required one that cannot open."""
    old = await plugins_behind(services, [member.plugin for member in assembly.ready])
    for member in assembly.ready:
        own = await stack.enter_async_context(AsyncExitStack())
        await open_plugin(assembly, member, services, own, old.get(member.plugin.name))


async def open_plugin(
    assembly: Assembly, member: Member, services: Services, own: AsyncExitStack, old: RevisionState | None
) -> None:
    """Enter one plugin's lifespans; an optional one that cannot open keeps its routes, which answer 503."""
    plugin, app = member.plugin, App(services, member.plugin.name)
    own.callback(services.forget, plugin.name)
    services.states[plugin.name] = member.state
    try:
        refuse_without_needs(plugin, services)
        refuse_old_tables(plugin, old, production=services.settings.service.env == "prod")
        for hook in assembly.hooks("lifespan", plugin.name):
            await enter(plugin, hook, app, own)
        refuse_empty_promises(member, services)
    except Exception as error:
        told = failure(plugin, "lifespan", error)
        if plugin.required:
            raise told from error
        await give_up(plugin, own)
        state = services.states[plugin.name]
        services.states[plugin.name] = replace(state, state="quarantined", phase=told.phase, why=str(told))
        logger.warning("plugin %s is quarantined: %s", plugin.name, told)
        return
    for hook in assembly.hooks("health", plugin.name):
        check = HealthCheck(name=plugin.name, required=plugin.required, ask=partial(ask_health, plugin, hook, app))
        services.checks.append(check)
        own.callback(services.checks.remove, check)


def refuse_without_needs(plugin: Plugin, services: Services) -> None:
    lost = next((name for name in plugin.needs if services.states[name].state != "ready"), None)
    if lost is not None:
        what, cure = f"it needs {lost!r}, which is quarantined", f"see the line about {lost}"
        raise StartError(what, plugin=plugin.name, phase="lifespan", where=plugin.where, cure=cure)


def refuse_empty_promises(member: Member, services: Services) -> None:
    for protocol in member.contribution.provides:
        if services.owners.get(protocol) != member.plugin.name:
            raise StartError(
                f"it promises a {protocol.__name__} and offers none",
                plugin=member.plugin.name,
                phase="lifespan",
                where=member.contribution.where,
                cure=f"call app.provide(thing, {protocol.__name__}) in its lifespan",
            )
