"""The state that the plugins of one application share; `App` is one plugin's view of it."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast
from uuid import UUID

from starlette.requests import HTTPConnection

from . import background
from .cache.cache import Cache
from .cache.registry import CacheRegistry
from .clock import Clock
from .context import Context, MembershipDirectory, Principal, Tenant, TenantDirectory, current
from .contracts import Contribution
from .database.scope import Scope
from .errors import BadRequest, ConnectionAbsent, HookFailed, NotFound, StartError, Unavailable
from .events import Event
from .hook_calls import run_hook
from .permissions import Requirement, RolePermissions
from .registry import HealthCheck, PluginState, Registry
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
KERNEL = "kernel"
logger = logging.getLogger("vinc.platform")
valid_cache_name = re.compile(r"[a-z][a-z0-9_]{0,39}").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPlugin:
    """A loaded plugin: its contribution, its settings, and its hooks by name."""

    name: str
    contribution: Contribution
    settings: Settings | None = None
    hooks: Mapping[str, Sequence[Callable[..., Any]]] = field(default_factory=dict)
    listeners: Sequence[tuple[type[Event], Callable[..., Awaitable[None]]]] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Runtime:
    """Everything that the plugins of one application share; built once by `create_app`, and frozen."""

    settings: KernelSettings
    plugins: Mapping[str, LoadedPlugin]
    permissions: RolePermissions
    trusted: Trusted
    caches: CacheRegistry
    registry: Registry
    postgres: Postgres | None
    redis: Redis | None
    clock: Clock

    @cached_property
    def apps(self) -> Mapping[str, App]:
        return {name: App(self, name) for name in (KERNEL, *self.plugins)}

    @cached_property
    def plugin_settings(self) -> Mapping[type[Settings], Settings]:
        return {type(one.settings): one.settings for one in self.plugins.values() if one.settings is not None}

    @cached_property
    def tenant_settings(self) -> Mapping[type[TenantSettings], str]:
        plugins = self.plugins.values()
        return {kind: one.name for one in plugins if (kind := one.contribution.tenant_settings) is not None}

    @property
    def database(self) -> Postgres:
        """PostgreSQL; raises ConnectionAbsent where VINC_DATABASE_URL is not set."""
        if self.postgres is None:
            raise ConnectionAbsent("PostgreSQL", "VINC_DATABASE_URL")
        return self.postgres

    async def authorize(self, requirement: Requirement, context: Context) -> None:
        memberships: MembershipDirectory | None = self.registry.find(MembershipDirectory)
        await self.permissions.authorize(requirement, context, memberships)

    def require_tenant(self, tenant: Tenant | None) -> Tenant:
        """Return the tenant; raises BadRequest without one."""
        if tenant is None:
            raise BadRequest(f"This needs a tenant: send {self.settings.service.tenant_header}.")
        return tenant

    async def require_existing(self, tenant: UUID) -> None:
        """Raise NotFound for a tenant that does not exist or is purged, and Unavailable without a directory."""
        directory: TenantDirectory | None = self.registry.find(TenantDirectory)
        if directory is None:
            raise Unavailable("Tenants cannot be looked up just now.")
        if await directory.find(tenant) is None:
            raise NotFound("There is no such tenant, or it is purged.")

    def quarantined_with(self, hook: str) -> str | None:
        """Return an enabled plugin that is not ready and has this hook, or may have it; None without one."""
        for name in {**self.plugins, **self.registry.states}:
            known = self.plugins.get(name) or self.registry.states[name]
            if not self.registry.is_ready(name) and (known.hooks is None or hook in known.hooks):
                return name
        return None

    def ready_plugins(self) -> list[LoadedPlugin]:
        return [one for name, one in self.plugins.items() if self.registry.is_ready(name)]


def runtime_of(request: HTTPConnection) -> Runtime:
    runtime: Runtime = request.scope["vinc.runtime"]
    return runtime


class App:
    """The application, as one plugin sees it; made by the kernel."""

    __slots__ = ("_runtime", "plugin")

    def __init__(self, runtime: Runtime, plugin: str) -> None:
        self._runtime, self.plugin = runtime, plugin

    def __repr__(self) -> str:
        return f"<App of the plugin {self.plugin}>"

    @property
    def redis(self) -> Redis:
        """The Redis connection; raises ConnectionAbsent where VINC_REDIS_URL is not set."""
        if self._runtime.redis is None:
            raise ConnectionAbsent("Redis", "VINC_REDIS_URL")
        return self._runtime.redis

    @property
    def checks(self) -> tuple[HealthCheck, ...]:
        """The health checks, connections first."""
        return tuple(self._runtime.registry.checks)

    @property
    def plugins(self) -> tuple[PluginState, ...]:
        """The state of each plugin in this worker."""
        return tuple(self._runtime.registry.states.values())

    @property
    def env(self) -> Literal["dev", "test", "prod"]:
        """The environment: VINC_ENV."""
        return self._runtime.settings.service.env

    @property
    def api_prefix(self) -> str:
        """The prefix of all routes: VINC_API_V1_PREFIX."""
        return self._runtime.settings.service.api_prefix

    @property
    def audience(self) -> str:
        """The audience that access tokens must have: VINC_JWT_AUDIENCE."""
        return self._runtime.settings.jwt.audience

    @property
    def tenant_plugins(self) -> Mapping[str, bool]:
        """Every ready plugin, and whether it may be disabled for a tenant."""
        return {one.name: one.contribution.optional_for_tenants for one in self._runtime.ready_plugins()}

    @property
    def tenant_settings(self) -> Mapping[str, type[TenantSettings]]:
        """The tenant settings of each ready plugin, by the plugin's name."""
        ready = self._runtime.ready_plugins()
        return {one.name: kind for one in ready if (kind := one.contribution.tenant_settings) is not None}

    def now(self) -> datetime:
        """Return the time in UTC, from the application's clock, which a test may set."""
        return datetime.fromtimestamp(self._runtime.clock(), UTC)

    def settings(self, kind: type[S]) -> S:
        """Return the settings that a plugin declared with this class; raises LookupError when none did."""
        return cast("S", self._runtime.plugin_settings[kind])

    def tenant_settings_of(self, tenant: Tenant | None, kind: type[TS]) -> TS:
        """Return a tenant's settings; raises BadRequest without a tenant, LookupError for an undeclared class."""
        plugin = self._runtime.tenant_settings.get(kind)
        if plugin is None:
            what = f"no plugin declares the tenant settings {kind.__module__}.{kind.__qualname__}"
            raise LookupError(f"{what}: name them in Contribution(tenant_settings=...)")
        return self._runtime.require_tenant(tenant).settings_of(plugin, kind)

    def is_platform(self, principal: Principal | None) -> bool:
        """Return whether this principal's role is above all tenants."""
        return self._runtime.permissions.is_platform(principal)

    def session(self, tenant: UUID | None = None) -> AbstractAsyncContextManager[DatabaseSession]:
        """Open a session of its own in this tenant, committed at the end and rolled back on an error.

        The first statement raises NotFound for a tenant that does not exist, or is purged: also when that has happened
        since the session was opened.
        """
        admit = partial(self._runtime.require_existing, tenant) if tenant is not None else None
        return self._runtime.database.session(Scope(tenant), admit)

    @asynccontextmanager
    async def platform_session(
        self, reason: str, *, tenant: UUID | None = None, principal: Principal | None = None
    ) -> AsyncGenerator[DatabaseSession]:
        """Open a session of its own above all tenants, logged with its reason, committed at the end.

        With `tenant`, new rows belong to that one; whether it exists is not asked. `principal` is recorded in
        `created_by` and `updated_by`.
        """
        log_platform_session(reason, principal, current.get())
        scope = Scope(tenant, actor=principal.id if principal else None, platform=True)
        async with self._runtime.database.session(scope) as db:
            yield db

    def cache(self, name: str, load: Callable[[K], Awaitable[V | None]], *, size: int = 10_000) -> Cache[K, V]:
        """Return a cache of what `load` returns; `cache.invalidate(db, key)` clears it on every worker at the commit.

        Its keys are str, int, UUID or tuples of these; those of a tenant's data begin with the tenant's id.
        """
        if not valid_cache_name(name):
            raise ValueError(f"a cache is called [a-z][a-z0-9_]*, at most 40 characters, not {name!r}")
        return self._runtime.caches.create(f"{self.plugin}.{name}", load, size)

    def background(self, work: Callable[[], Awaitable[object]], *, every: float) -> None:
        """Run `work` now and every so many seconds, as long as the plugin is open; call it in the plugin's lifespan.

        It runs in a task without a request, and not in commands. An exception is logged, and the work goes on.
        """
        if not self._runtime.registry.runs_background:
            return
        task = background.start(work, every=every, name=f"the background work of the plugin {self.plugin}")
        self._runtime.registry.tasks[self.plugin].append(task)

    def context(self, db: DatabaseSession, tenant: Tenant | None = None, principal: Principal | None = None) -> Context:
        """Return the context of work in this session, for hooks."""
        request = current.get()
        request_id = request.request_id if request else ""
        return Context(app=self, request_id=request_id, principal=principal, tenant=tenant, unit=db.unit)

    async def call(self, hook: Any, context: Context) -> None:
        """Run a hook of every plugin, in order; raises HookFailed, or a plugin's own Problem.

        An enabled plugin that is quarantined and has the hook fails it, before any other runs.
        """
        if absent := self._runtime.quarantined_with(hook.name):
            raise HookFailed(absent, hook.name, "it is quarantined, so that this would be left out")
        seconds = hook.seconds or self._runtime.settings.plugins.load_timeout
        for plugin in self._runtime.ready_plugins():
            mine = context.for_app(self._runtime.apps[plugin.name])
            for implementation in plugin.hooks.get(hook.name, ()):
                await run_hook(plugin.name, hook.name, implementation(mine), mine, seconds)

    async def emit(self, db: DatabaseSession, *events: Event) -> None:
        """Call every plugin's `@hooks.on(Kind)` with all events of its kind, in the transaction of `db`.

        A listener that raises fails the transaction, and so does one of an enabled plugin that is quarantined: raises
        HookFailed, or the listener's own Problem. Plugins that are off for the tenant listen too.
        """
        runtime = self._runtime
        kinds = {kind for event in events for kind in type(event).__mro__}
        context: Context | None = None
        for plugin in runtime.plugins.values():
            for kind, listener in plugin.listeners:
                heard = [event for event in events if isinstance(event, kind)]
                if not heard:
                    continue
                if not runtime.registry.is_ready(plugin.name):
                    raise HookFailed(plugin.name, "on", "it listens and is quarantined")
                context = context or await self._context_of(db)
                mine = context.for_app(runtime.apps[plugin.name])
                await run_hook(plugin.name, "on", listener(heard, mine), mine, runtime.settings.plugins.load_timeout)
        if quarantined := runtime.registry.listening_in_quarantine(kinds):
            raise HookFailed(quarantined, "on", "it listens and is quarantined")

    async def _context_of(self, db: DatabaseSession) -> Context:
        """Return the request's context where it is the request's session, else one with the session's tenant."""
        request = current.get()
        if request is not None and request.unit is db.unit:
            return request
        principal = request.principal if request else None
        tenant = request.tenant if request else None
        wanted = db.unit.scope.tenant
        if wanted is None or tenant is None or tenant.id != wanted:
            directory: TenantDirectory | None = self._runtime.registry.find(TenantDirectory)
            tenant = await directory.find(wanted) if directory is not None and wanted is not None else None
        return self.context(db, tenant, principal)

    def trust(self, issuer: Issuer) -> None:
        """Trust the access tokens of this issuer, as long as the plugin is open; VINC_JWT_ISSUERS beats it.

        Raises ValueError for an algorithm that is not allowed, and in production StartError for keys without TLS.
        """
        address = issuer.jwks_url or issuer.url
        if self.env == "prod" and issuer.keys is None and not is_tls_or_loopback(address):
            what, cure = "its keys would come without TLS, and could be anybody's", "let it be reached by https"
            raise StartError(what, plugin=self.plugin, phase="lifespan", where=address, cure=cure)
        self._runtime.trusted.add(issuer, self.plugin)

    def provide(self, thing: object, kind: type | None = None) -> None:
        """Offer a service to all plugins under its type, or under a protocol that it implements."""
        self._runtime.registry.provide(thing, kind or type(thing), self.plugin)

    # Not `type[T]`: type checkers refuse a protocol there.
    def get(self, kind: Callable[..., T]) -> T:
        """Return the service that some plugin provides under this type; raises LookupError when none does."""
        found: T | None = self._runtime.registry.find(cast("type", kind))
        if found is None:
            message = f"no plugin provides {kind.__module__}.{kind.__qualname__}: install and enable one that does"
            raise LookupError(message)
        return found


def log_platform_session(reason: str, principal: Principal | None, context: Context | None) -> None:
    """Log the caller and the reason; raises TypeError without a reason."""
    require_reason("platform_session", reason)
    extra = {
        "event": "platform.session",
        "reason": reason,
        "principal": principal.subject if principal else "(system)",
        "route": (context.route if context else "") or "(none)",
    }
    logger.info("platform scope: %s", reason, extra=extra)


def require_reason(name: str, reason: str) -> str:
    """Return the reason; raises TypeError for an empty one."""
    if not isinstance(reason, str) or not reason.strip():
        raise TypeError(f"{name}() needs its reason, a sentence")
    return reason
