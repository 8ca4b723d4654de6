"""Make the application: `create_app(settings)`; nothing is global."""

from __future__ import annotations

import gc
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import version
from time import time
from typing import Any

from starlette.types import Receive, Scope, Send

from . import openapi
from .cache.registry import CacheRegistry
from .clock import Clock
from .connections.postgres import make_postgres
from .connections.redis import make_redis
from .documents import documents
from .endpoints import Endpoint
from .errors import VincError
from .lifespan import connections
from .middleware.pipeline import Pipeline
from .permissions import RolePermissions
from .plugins.arrange import Plugin
from .plugins.assemble import AssembledPlugin, Assembly, LoadOptions, assemble
from .plugins.find import KERNEL
from .plugins.load import to_start_error
from .plugins.open import open_plugins
from .plugins.trials import select_plugins
from .registry import HealthCheck, Registry
from .routing import Index
from .runtime import Runtime
from .settings import KernelSettings, Sources, refuse_known_keys
from .static_content import StaticContent
from .tokens.issuer import SignIn
from .tokens.trusted import Trusted

logger = logging.getLogger("vinc")
MOST_DOCUMENTS = 32
AT_ROOT = ("/health/live", "/health/ready")  # where container platforms expect them


class Application:
    """The ASGI application: all plugins behind one pipeline. `lifespan()` opens and closes what they need."""

    def __init__(self, settings: KernelSettings, sources: Sources, plugins: Sequence[Plugin], clock: Clock) -> None:
        self.dependency_overrides: dict[Callable[..., Any], Callable[..., Any]] = {}
        self.on_stopped: Callable[[], None] = lambda: None
        self.assembly: Assembly = assemble(plugins, LoadOptions(settings=settings, sources=sources, overrides=self))
        self.runtime = make_runtime(settings, self.assembly, clock)
        self.parts: dict[str, dict[str, Any]] = {}
        self.document = lru_cache(MOST_DOCUMENTS)(self.make_document)
        self.routes: list[Endpoint] = list(self.all_endpoints())
        self.pipeline = Pipeline(self.runtime, Index(self.routes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.run_lifespan(receive, send)
        else:
            scope["app"] = self
            await self.pipeline(scope, receive, send)

    def all_endpoints(self) -> list[Endpoint]:
        service = self.runtime.settings.service
        endpoints = [endpoint for member in self.assembly.ready for endpoint in member.endpoints]
        at_root = [
            replace(one, path=one.path.removeprefix(service.api_prefix))
            for one in endpoints
            if service.api_prefix and one.path in {service.api_prefix + path for path in AT_ROOT}
        ]
        described = list(documents(service.api_prefix, self)) if service.docs else []
        return [*endpoints, *at_root, *described]

    def openapi(self, without: frozenset[str] = frozenset()) -> bytes:
        """Return the OpenAPI document of all plugins but these; the last few are kept."""
        return self.openapi_content(without).body

    def openapi_content(self, without: frozenset[str]) -> StaticContent:
        return self.document(frozenset(without & self.runtime.plugins.keys()))

    def make_document(self, without: frozenset[str]) -> StaticContent:
        schemes, header = openapi.credentials(self.sign_ins), self.runtime.settings.service.tenant_header
        if not self.parts:
            for one in self.assembly.ready:
                self.parts[one.plugin.name] = describe(one, list(schemes), header)
        parts = [part for name, part in self.parts.items() if name not in without]
        body = openapi.join(parts, version=version(KERNEL), schemes=schemes)
        return StaticContent(body, "application/json")

    @property
    def sign_ins(self) -> list[SignIn]:
        return [one.sign_in for one in self.runtime.trusted.issuers if one.sign_in is not None]

    async def run_lifespan(self, receive: Receive, send: Send) -> None:
        """Run the lifespan protocol of ASGI; a VincError is one line, not a traceback."""
        await receive()
        is_started = False
        try:
            async with self.lifespan():
                # All objects of now stay: each full collection would visit them again, for milliseconds.
                gc.collect()
                gc.freeze()
                await send({"type": "lifespan.startup.complete"})
                is_started = True
                await receive()
        except VincError as error:
            await send({"type": f"lifespan.{'shutdown' if is_started else 'startup'}.failed", "message": str(error)})
        else:
            await send({"type": "lifespan.shutdown.complete"})
        if is_started:
            self.on_stopped()

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[Runtime]:
        """Open the connections, then the plugins in order; close all in reverse."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(connections(self.runtime))
            await open_plugins(self.assembly, self.runtime, stack)
            self.warn_without_issuer()
            self.parts.clear()  # they name the ways to sign in, which are known once the plugins are open
            self.document.cache_clear()
            yield self.runtime

    def warn_without_issuer(self) -> None:
        if not self.runtime.trusted.issuers and any(not one.requirement.public for one in self.routes):
            cure = "enable a plugin that signs people in, like keycloak, or set VINC_JWT_ISSUERS"
            logger.warning("nobody can sign in: no issuer of tokens is trusted here; %s", cure)


def describe(member: AssembledPlugin, schemes: Sequence[str], tenant_header: str) -> dict[str, Any]:
    """Return what OpenAPI tells of a plugin; nothing of one that cannot be described, so that the others are."""
    try:
        return openapi.part(member.plugin.name, member.endpoints, schemes, tenant_header)
    except (Exception, SystemExit) as error:  # noqa: BLE001  a plugin's type may raise anything
        logger.error("%s", to_start_error(member.plugin, "check", error))  # noqa: TRY400  its line is in it
        return {"paths": {}, "schemas": {}}


def make_runtime(settings: KernelSettings, assembly: Assembly, clock: Clock) -> Runtime:
    """Return what the plugins share; its connections are not open yet."""
    contributions = [one.contribution for one in assembly.ready]
    trusted = Trusted(settings.jwt)
    postgres, redis = make_postgres(settings.database), make_redis(settings.redis)
    checks = [HealthCheck(name="postgres", required=True, ask=postgres.probe.ping)] if postgres is not None else []
    if redis is not None:
        checks.append(HealthCheck(name="redis", required=False, ask=redis.ping))
    return Runtime(
        settings=settings,
        plugins={one.plugin.name: assembly.loaded(one) for one in assembly.ready},
        permissions=RolePermissions.from_contributions(contributions, settings.service.tenant_header),
        trusted=trusted,
        caches=CacheRegistry(),
        registry=Registry(trusted, {one.plugin.name: one.state for one in assembly.members}, checks),
        postgres=postgres,
        redis=redis,
        clock=clock,
    )


def create_app(
    settings: KernelSettings,
    sources: Sources | None = None,
    *,
    plugins: Sequence[Plugin] | None = None,
    clock: Clock = time,
) -> Application:
    """Return the application of the enabled plugins, or of these; raises StartErrors when one cannot be loaded."""
    refuse_known_keys(settings.service)
    sources = sources or Sources({})
    return Application(settings, sources, select_plugins(settings, sources) if plugins is None else plugins, clock)
