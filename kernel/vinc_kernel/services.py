"""What a running application offers to its plugins: settings, connections, sessions, and each other's services."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast
from uuid import UUID

from fastapi import Depends
from starlette.requests import HTTPConnection

from .cache.cache import Cache
from .cache.registry import CacheRegistry
from .context import Context, Principal, Tenant, asking, current_context
from .database.scope import Scope
from .errors import BadRequest, ConnectionAbsent, Forbidden, HookFailed, Problem, StartError
from .setting_types import is_tls_or_loopback
from .settings import KernelSettings, Settings
from .tenant_settings import TenantSettings
from .tokens.issuer import Issuer
from .tokens.trusted import Trusted

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from .database.postgres import Postgres
    from .database.session import DatabaseSession

T = TypeVar("T")
S = TypeVar("S", bound=Settings)
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
TS = TypeVar("TS", bound=TenantSettings)
logger = logging.getLogger("vinc.platform")
cache_name = re.compile(r"[a-z][a-z0-9_]{0,39}").fullmatch
Implementations = Callable[[str], Iterable[tuple[str, Callable[..., Any]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """Something that can be down: `ask` raises when it is. What is not required leaves the service ready."""

    name: str
    required: bool
    ask: Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginState:
    """How one plugin stands in this worker: `ready` or `quarantined`, since which phase, and the whole reason."""

    name: str
    version: str
    state: str = "ready"
    phase: str = ""
    why: str = ""


async def refuse_all(_requirement: Any, _context: Context) -> None:
    """What is said before it is known what roles are worth."""
    raise Forbidden


@dataclass(slots=True, eq=False)
class Services:
    """What all plugins of one application share; made by the kernel, never global."""

    settings: KernelSettings
    trusted: Trusted = field(init=False)
    plugin_settings: dict[type[Settings], Settings] = field(default_factory=dict)
    tenant_settings: dict[str, type[TenantSettings]] = field(default_factory=dict)
    optional_for_tenants: dict[str, bool] = field(default_factory=dict)
    implementations: Implementations = lambda _hook: ()
    is_platform: Callable[[Principal], bool] = lambda _principal: False
    authorise: Callable[[Any, Context], Awaitable[None]] = refuse_all
    caches: CacheRegistry = field(default_factory=CacheRegistry)
    things: dict[type, object] = field(default_factory=dict)
    owners: dict[type, str] = field(default_factory=dict)
    checks: list[HealthCheck] = field(default_factory=list)
    states: dict[str, PluginState] = field(default_factory=dict)
    postgres: Postgres | None = None
    redis: Redis | None = None

    def __post_init__(self) -> None:
        self.trusted = Trusted(self.settings.jwt)

    def forget(self, plugin: str) -> None:
        """Take back what a plugin has offered."""
        for kind in [kind for kind, owner in self.owners.items() if owner == plugin]:
            del self.things[kind], self.owners[kind]
        self.trusted.forget(plugin)

    def find(self, kind: type) -> Any:
        """What is provided under a type; None when nobody provides it."""
        return self.things.get(kind)

    @property
    def database(self) -> Postgres:
        """PostgreSQL; raises ConnectionAbsent where VINC_DATABASE_URL is not set."""
        if self.postgres is None:
            raise ConnectionAbsent("PostgreSQL", "VINC_DATABASE_URL")
        return self.postgres

    def is_ready(self, plugin: str) -> bool:
        state = self.states.get(plugin)
        return state is not None and state.state == "ready"

    def settings_of_tenant(self, tenant: Tenant | None, kind: type[TS]) -> TS:
        """What a tenant has set; raises BadRequest without a tenant, LookupError for what no plugin declares."""
        plugin = next((name for name, declared in self.tenant_settings.items() if declared is kind), None)
        if plugin is None:
            what = f"no plugin declares the tenant settings {kind.__module__}.{kind.__qualname__}"
            message = f"{what}: name them in Contribution(tenant_settings=...)"
            raise LookupError(message)
        if tenant is None:
            message = f"This needs a tenant: send {self.settings.service.tenant_header}."
            raise BadRequest(message)
        return tenant.settings_of(plugin, kind)


@dataclass(frozen=True, slots=True)
class App:
    """The application, as one plugin sees it."""

    services: Services
    plugin: str

    @property
    def redis(self) -> Redis:
        """The Redis connection; raises ConnectionAbsent where VINC_REDIS_URL is not set."""
        if self.services.redis is None:
            raise ConnectionAbsent("Redis", "VINC_REDIS_URL")
        return self.services.redis

    @property
    def checks(self) -> tuple[HealthCheck, ...]:
        """Everything that can be down, connections first."""
        return tuple(self.services.checks)

    @property
    def plugins(self) -> tuple[PluginState, ...]:
        """How each plugin stands in this worker."""
        return tuple(self.services.states.values())

    def settings(self, kind: type[S]) -> S:
        """The settings that a plugin declared with this class; raises LookupError when none did."""
        return cast("S", self.services.plugin_settings[kind])

    @property
    def tenant_plugins(self) -> Mapping[str, bool]:
        """Every ready plugin, and whether it may be turned off for a tenant."""
        optional = self.services.optional_for_tenants
        return {name: may for name, may in optional.items() if self.services.is_ready(name)}

    @property
    def tenant_settings(self) -> Mapping[str, type[TenantSettings]]:
        """What each ready plugin lets tenants set, by the plugin's name."""
        declared = self.services.tenant_settings
        return {name: kind for name, kind in declared.items() if self.services.is_ready(name)}

    def is_platform(self, principal: Principal | None) -> bool:
        """Whether this principal's role stands above all tenants."""
        return principal is not None and self.services.is_platform(principal)

    def session(self, tenant: UUID | None = None) -> AbstractAsyncContextManager[DatabaseSession]:
        """A session of its own in this tenant, committed at the end and rolled back on an error."""
        return self.services.database.session(Scope(tenant))

    @asynccontextmanager
    async def platform_session(
        self, reason: str, *, tenant: UUID | None = None, principal: Principal | None = None
    ) -> AsyncGenerator[DatabaseSession]:
        """A session of its own above all tenants, logged with its reason, committed at the end.

        With `tenant`, new rows belong to that one. `principal` is who is noted in `created_by` and `updated_by`.
        """
        note_platform_work(reason, principal, asking.get())
        scope = Scope(tenant, actor=principal.id if principal else None, platform=True)
        async with self.services.database.session(scope) as db:
            yield db

    def cache(self, name: str, load: Callable[[K], Awaitable[V | None]], *, size: int = 10_000) -> Cache[K, V]:
        """A cache of what `load` gives; `cache.invalidate(db, key)` empties it on every worker after the commit.

        Its keys are str, int, UUID or tuples of these; those of a tenant's data begin with the tenant's id.
        """
        if not cache_name(name):
            message = f"a cache is called [a-z][a-z0-9_]*, at most 40 characters, not {name!r}"
            raise ValueError(message)
        return self.services.caches.create(f"{self.plugin}.{name}", load, size)

    def context(self, db: DatabaseSession, tenant: Tenant, principal: Principal | None = None) -> Context:
        """What hooks are handed: this session, in this tenant."""
        around = asking.get()
        return Context(
            request_id=around.request_id if around else "",
            principal=principal,
            tenant=tenant,
            plugin=self.plugin,
            unit=db.unit,
            services=self.services,
        )

    async def call(self, hook: Any, context: Context) -> None:
        """Run a hook of every ready plugin, one by one, in order; raises HookFailed, or a plugin's own Problem.

        One that takes too long has failed, and one that went on after an error of the database as well.
        """
        for plugin, implementation in self.services.implementations(hook.name):
            if self.services.is_ready(plugin):
                seconds = hook.seconds or self.services.settings.plugins.load_timeout
                await run_hook(plugin, hook.name, implementation(context), context, seconds)

    @property
    def env(self) -> Literal["dev", "test", "prod"]:
        """What this installation is: VINC_ENV."""
        return self.services.settings.service.env

    @property
    def api_prefix(self) -> str:
        """What the addresses of all routes begin with: VINC_API_V1_PREFIX."""
        return self.services.settings.service.api_prefix

    @property
    def audience(self) -> str:
        """Whom tokens for this installation are meant for: VINC_JWT_AUDIENCE."""
        return self.services.settings.jwt.audience

    def trust(self, issuer: Issuer) -> None:
        """Believe the access tokens of this issuer, as long as the plugin is open; VINC_JWT_ISSUERS beats it.

        Raises ValueError for an algorithm that is not taken, and in production StartError for keys without TLS.
        """
        address = issuer.jwks_url or issuer.url
        if self.env == "prod" and issuer.keys is None and not is_tls_or_loopback(address):
            raise StartError(
                "its keys would come without TLS, and could be anybody's",
                plugin=self.plugin,
                phase="lifespan",
                where=address,
                cure="let it be reached by https",
            )
        self.services.trusted.add(issuer, self.plugin)

    def provide(self, thing: object, kind: type | None = None) -> None:
        """Offer a service to all plugins under its type, or under a protocol that it fulfils."""
        offered = kind or type(thing)
        owner = self.services.owners.get(offered)
        if owner not in (None, self.plugin):
            raise StartError(
                f"{offered.__name__} is already provided by {owner}, and one is enough",
                plugin=self.plugin,
                phase="lifespan",
                where=offered.__module__,
                cure=f"enable one of the two: vinc plugins disable {self.plugin}, or {owner}",
            )
        self.services.things[offered], self.services.owners[offered] = thing, self.plugin

    # `type[T]` would not do: type checkers refuse a protocol there, as nobody can make one.
    def get(self, kind: Callable[..., T]) -> T:
        """The service that some plugin provides under this type; raises LookupError when none does."""
        found: T | None = self.services.find(cast("type", kind))
        if found is None:
            message = f"no plugin provides {kind.__module__}.{kind.__qualname__}: install and enable one that does"
            raise LookupError(message)
        return found


async def run_hook(plugin: str, hook: str, running: Awaitable[object], context: Context, seconds: float) -> None:
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            await running
    except Problem as problem:
        logger.warning("the hook %s of the plugin %s refused: %s", hook, plugin, problem.type)
        raise
    except Exception as error:
        why = f"it takes longer than {seconds:g} s" if deadline.expired() else f"it raised {type(error).__name__}"
        raise HookFailed(plugin, hook, why) from error
    if context.unit is not None and context.unit.failed:
        raise HookFailed(plugin, hook, "it went on after an error of the database")


def note_platform_work(reason: str, principal: Principal | None, context: Context | None) -> None:
    """Log that somebody works above all tenants, and why; raises TypeError without a reason."""
    if not isinstance(reason, str) or not reason.strip():
        message = "platform_session() needs its reason, a sentence"
        raise TypeError(message)
    told = {
        "event": "platform.session",
        "reason": reason,
        "principal": principal.subject if principal else "(system)",
        "route": (context.route if context else "") or "(none)",
    }
    logger.info("platform scope: %s", reason, extra=told)


@dataclass(frozen=True, slots=True)
class Injected:
    """A FastAPI dependency that hands over a service, a plugin's settings, or what the tenant has set, by type."""

    kind: type

    async def __call__(self, request: HTTPConnection) -> Any:
        context = current_context(request)
        services: Services = context.services
        if self.kind is App:
            return App(services, context.plugin)
        if issubclass(self.kind, TenantSettings):
            return context.settings(self.kind)
        if self.kind in services.plugin_settings:
            return services.plugin_settings[self.kind]
        return App(services, "").get(self.kind)


def inject(kind: type) -> Any:
    """Ask by type for a service, a plugin's settings, or what the tenant has set, as a FastAPI dependency."""
    return Depends(Injected(kind))
