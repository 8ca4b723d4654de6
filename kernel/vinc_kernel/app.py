"""Make the application: `create_app(settings)`; nothing global."""

from __future__ import annotations

import gc
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from starlette.types import Receive, Scope, Send

from . import openapi
from .documents import documents
from .endpoints import Endpoint
from .errors import VincError
from .lifespan import connections
from .middleware.front import Front, Steps
from .middleware.identity import Identity
from .plugins.arrange import Plugin
from .plugins.assemble import Assembly, LoadOptions, assemble
from .plugins.find import KERNEL
from .plugins.open import open_plugins
from .plugins.rights import rights
from .plugins.trials import select_plugins
from .routing import Index
from .services import Services
from .settings import KernelSettings, Sources, refuse_unsafe
from .telemetry import request_log
from .tokens.issuer import SignIn

logger = logging.getLogger("vinc")
MOST_DOCUMENTS = 32
AT_ROOT = ("/health/live", "/health/ready")  # where whatever runs containers looks for them


class Application:
    """The ASGI application: all plugins behind one front. `lifespan()` opens and closes what they need."""

    def __init__(self, settings: KernelSettings, sources: Sources, plugins: Sequence[Plugin]) -> None:
        self.dependency_overrides: dict[Callable[..., Any], Callable[..., Any]] = {}
        self.services = Services(settings=settings)
        self.assembly: Assembly = assemble(plugins, LoadOptions(settings=settings, sources=sources, overrides=self))
        self.services.states = {one.plugin.name: one.state for one in self.assembly.members}
        self.services.plugin_settings = {
            type(one.settings): one.settings for one in self.assembly.ready if one.settings is not None
        }
        offer_to_tenants(self.services, self.assembly)
        self.parts: dict[str, dict[str, Any]] = {}
        self.documents: OrderedDict[frozenset[str], bytes] = OrderedDict()
        self.routes: list[Endpoint] = list(self.all_endpoints())
        worth = rights([one.contribution for one in self.assembly.ready], settings.service.tenant_header)
        self.front = Front(
            Steps(
                services=self.services,
                index=Index(self.routes),
                rights=worth,
                identity=Identity(self.services.trusted, worth),
                tenant_header=settings.service.tenant_header,
                cors=settings.cors,
                log=request_log(settings.log),
            )
        )
        self.services.is_platform = self.front.steps.rights.is_platform
        self.services.authorise = self.front.authorise

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
        described = list(documents(service.api_prefix, self)) if service.docs else []
        return [*found, *at_root, *described]

    def openapi(self, without: frozenset[str] = frozenset()) -> bytes:
        """The OpenAPI document of all plugins but these, made when it is first asked for; a few are kept."""
        schemes = openapi.credentials(self.sign_ins)
        if not self.parts:
            self.parts = {
                one.plugin.name: openapi.part(one.plugin.name, one.endpoints, list(schemes))
                for one in self.assembly.ready
            }
        without = frozenset(without & self.parts.keys())
        if without not in self.documents:
            parts = [part for name, part in self.parts.items() if name not in without]
            header = self.services.settings.service.tenant_header
            self.documents[without] = openapi.join(
                parts, version=version(KERNEL), tenant_header=header, schemes=schemes
            )
            if len(self.documents) > MOST_DOCUMENTS:
                self.documents.popitem(last=False)
        self.documents.move_to_end(without)
        return self.documents[without]

    @property
    def sign_ins(self) -> list[SignIn]:
        """How people get tokens of the issuers that are trusted here."""
        return [one.sign_in for one in self.services.trusted.issuers if one.sign_in is not None]

    async def live(self, receive: Receive, send: Send) -> None:
        """The lifespan protocol of ASGI; what stops the start is told in one line, not as a traceback."""
        await receive()
        begun = False
        try:
            async with self.lifespan():
                # What is here now stays: each full collection would go through it again, for milliseconds.
                gc.collect()
                gc.freeze()
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
            await open_plugins(self.assembly, self.services, stack)
            self.warn_of_a_locked_door()
            self.parts, self.documents = {}, OrderedDict()  # they say how to sign in, which plugins have told just now
            yield self.services

    def warn_of_a_locked_door(self) -> None:
        if not self.services.trusted.issuers and any(not one.requirement.public for one in self.routes):
            cure = "enable a plugin that signs people in, like keycloak, or set VINC_JWT_ISSUERS"
            logger.warning("nobody can sign in: no issuer of tokens is trusted here; %s", cure)


def offer_to_tenants(services: Services, assembly: Assembly) -> None:
    """Note what tenants may set and turn off, and how to find the hooks of a tenant's life."""
    contributions = {one.plugin.name: one.contribution for one in assembly.ready}
    services.optional_for_tenants = {name: made.optional_for_tenants for name, made in contributions.items()}
    services.tenant_settings = {
        name: made.tenant_settings for name, made in contributions.items() if made.tenant_settings is not None
    }
    services.implementations = lambda hook: [
        (name, one) for name in contributions for one in assembly.hooks(hook, name)
    ]


def create_app(
    settings: KernelSettings,
    sources: Sources | None = None,
    *,
    plugins: Sequence[Plugin] | None = None,
) -> Application:
    """The application of the enabled plugins, or of these; raises StartErrors when one of them cannot be loaded."""
    refuse_unsafe(settings)
    sources = sources or Sources({})
    return Application(settings, sources, select_plugins(settings, sources) if plugins is None else plugins)
