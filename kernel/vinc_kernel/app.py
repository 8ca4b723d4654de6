"""Make the application: `create_app(settings)`; nothing global."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import Any

from starlette.types import Receive, Scope, Send

from . import openapi
from .database.versions import Place
from .documents import documents
from .endpoints import Endpoint
from .errors import StartError, VincError
from .guards import Rights
from .lifespan import connections
from .middleware.front import Front, Steps
from .middleware.identity import Identify, identify_by_dev_header, identify_nobody
from .plugins.arrange import Plugin, arrange
from .plugins.assemble import Assembling, Assembly, Member, assemble
from .plugins.find import KERNEL
from .plugins.load import ask_health, enter, failure, give_up
from .routing import Index
from .services import App, Check, Services
from .settings import KernelSettings, Sources
from .tables import plugins_behind, refuse_old_tables
from .telemetry import request_lines

logger = logging.getLogger("vinc")
AT_ROOT = ("/health/live", "/health/ready")  # where whatever runs containers looks for them


class Application:
    """The ASGI application: all plugins behind one front. `lifespan()` opens and closes what they need."""

    def __init__(
        self, settings: KernelSettings, sources: Sources, plugins: Sequence[Plugin], identify: Identify
    ) -> None:
        self.dependency_overrides: dict[Callable[..., Any], Callable[..., Any]] = {}
        self.services = Services(settings=settings)
        self.assembly: Assembly = assemble(plugins, Assembling(settings=settings, sources=sources, overrides=self))
        self.services.states = {one.plugin.name: one.state for one in self.assembly.members}
        self.services.plugin_settings = {
            type(one.settings): one.settings for one in self.assembly.ready if one.settings is not None
        }
        self.document: bytes | None = None
        self.routes: list[Endpoint] = list(self.all_endpoints())
        self.front = Front(
            Steps(
                services=self.services,
                index=Index(self.routes),
                rights=rights(self.assembly.ready, settings.service.tenant_header),
                identify=identify,
                tenant_header=settings.service.tenant_header,
                cors=settings.cors,
                log=request_lines(settings.log).info,
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        else:
            scope["app"] = self
            await self.front(scope, receive, send)

    def all_endpoints(self) -> list[Endpoint]:
        service = self.services.settings.service
        found = [endpoint for member in self.assembly.ready for endpoint in member.endpoints]
        at_root = [
            replace(one, path=one.path.removeprefix(service.api_prefix))
            for one in found
            if service.api_prefix and one.path in {service.api_prefix + path for path in AT_ROOT}
        ]
        described = list(documents(service.api_prefix, self.openapi)) if service.docs else []
        return [*found, *at_root, *described]

    def openapi(self) -> bytes:
        """The OpenAPI document, made when it is first asked for."""
        if self.document is None:
            parts = [openapi.part(one.plugin.name, one.endpoints) for one in self.assembly.ready]
            header = self.services.settings.service.tenant_header
            self.document = openapi.join(parts, version=version(KERNEL), tenant_header=header)
        return self.document

    async def live(self, receive: Receive, send: Send) -> None:
        """The lifespan protocol of ASGI; what stops the start is told in one line, not as a traceback."""
        await receive()
        begun = False
        try:
            async with self.lifespan():
                await send({"type": "lifespan.startup.complete"})
                begun = True
                await receive()
        except VincError as error:
            await send({"type": f"lifespan.{'shutdown' if begun else 'startup'}.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[Services]:
        """Open the connections and then the plugins, in order; close all in reverse."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(connections(self.services))
            old = await plugins_behind(self.services, [member.plugin for member in self.assembly.ready])
            for member in self.assembly.ready:
                await self.open(member, stack, old)
            yield self.services

    async def open(self, member: Member, stack: AsyncExitStack, old: Mapping[str, Place]) -> None:
        """Enter a plugin's lifespans; an optional plugin that cannot open keeps its routes, which answer 503."""
        plugin, services = member.plugin, self.services
        app = App(services, plugin.name)
        own = await stack.enter_async_context(AsyncExitStack())
        own.callback(self.forget, plugin.name)
        services.states[plugin.name] = member.state
        try:
            self.refuse_without_needs(plugin)
            production = services.settings.service.env == "prod"
            refuse_old_tables(plugin, old.get(plugin.name), production=production)
            for hook in self.assembly.hooks("lifespan", plugin.name):
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
        for hook in self.assembly.hooks("health", plugin.name):
            ask = partial(ask_health, plugin, hook, app)
            check = Check(name=plugin.name, required=plugin.required, ask=ask)
            services.checks.append(check)
            own.callback(services.checks.remove, check)

    def refuse_without_needs(self, plugin: Plugin) -> None:
        states = self.services.states
        lost = next((name for name in plugin.needs if states[name].state != "ready"), None)
        if lost is not None:
            what, cure = f"it needs {lost!r}, which is quarantined", f"see the line about {lost}"
            raise StartError(what, plugin=plugin.name, phase="lifespan", where=plugin.where, cure=cure)

    def forget(self, plugin: str) -> None:
        """Take back what a plugin offered before it failed, or until now."""
        for kind in [kind for kind, owner in self.services.owners.items() if owner == plugin]:
            del self.services.things[kind], self.services.owners[kind]


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


def rights(members: Sequence[Member], tenant_header: str) -> Rights:
    """What each role is worth, from everything that the plugins contribute."""
    by_role: dict[str, set[str]] = {}
    canonical: dict[str, str] = {}
    platform: set[str] = set()
    for member in members:
        for role in member.contribution.roles:
            canonical |= dict.fromkeys((role.name, *role.aliases), role.name)
            platform |= {role.name} if role.platform else set()
    for member in members:
        for capability in member.contribution.capabilities:
            for name in capability.roles:
                by_role.setdefault(canonical.get(name, name), set()).add(str(capability))
    return Rights(
        by_role={role: frozenset(granted) for role, granted in by_role.items()},
        platform_roles=frozenset(platform),
        canonical=canonical,
        tenant_header=tenant_header,
    )


def create_app(
    settings: KernelSettings,
    sources: Sources | None = None,
    *,
    plugins: Sequence[Plugin] | None = None,
    identify: Identify | None = None,
) -> Application:
    """The application of the enabled plugins; raises StartErrors when one that is required cannot be served.

    `identify` replaces the step that finds out who asks: by default it believes a `Dev` header outside production.
    """
    chosen = identify or (identify_nobody if settings.service.env == "prod" else identify_by_dev_header)
    return Application(settings, sources or Sources({}), arrange(settings) if plugins is None else plugins, chosen)
