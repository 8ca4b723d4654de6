"""What a running application offers to its plugins: settings, connections, sessions, and each other's services."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

from fastapi import Depends
from starlette.requests import HTTPConnection

from .context import current_context
from .database.scope import Scope
from .errors import ConnectionAbsent, StartError
from .settings import KernelSettings, Settings

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from .database.pool import Postgres
    from .database.session import DatabaseSession

T = TypeVar("T")
S = TypeVar("S", bound=Settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
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


@dataclass(slots=True, eq=False)
class Services:
    """What all plugins of one application share; made by the kernel, never global."""

    settings: KernelSettings
    plugin_settings: dict[type[Settings], Settings] = field(default_factory=dict)
    things: dict[type, object] = field(default_factory=dict)
    owners: dict[type, str] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    states: dict[str, PluginState] = field(default_factory=dict)
    postgres: Postgres | None = None
    redis: Redis | None = None

    def forget(self, plugin: str) -> None:
        """Take back what a plugin has offered."""
        for kind in [kind for kind, owner in self.owners.items() if owner == plugin]:
            del self.things[kind], self.owners[kind]

    def find(self, kind: type) -> Any:
        """What is provided under a type; None when nobody provides it."""
        return self.things.get(kind)


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
    def checks(self) -> tuple[Check, ...]:
        """Everything that can be down, connections first."""
        return tuple(self.services.checks)

    @property
    def plugins(self) -> tuple[PluginState, ...]:
        """How each plugin stands in this worker."""
        return tuple(self.services.states.values())

    def settings(self, kind: type[S]) -> S:
        """The settings that a plugin declared with this class; raises LookupError when none did."""
        return cast("S", self.services.plugin_settings[kind])

    def session(self, tenant: UUID | None = None) -> AbstractAsyncContextManager[DatabaseSession]:
        """A session of its own in this tenant, committed at the end and rolled back on an error."""
        if self.services.postgres is None:
            raise ConnectionAbsent("PostgreSQL", "VINC_DATABASE_URL")
        return self.services.postgres.session(Scope(tenant))

    def provide(self, thing: object, kind: type | None = None) -> None:
        """Offer a service to all plugins under its type, or under a protocol that it fulfils."""
        offered = kind or type(thing)
        owner = self.services.owners.get(offered)
        if owner not in (None, self.plugin):
            raise StartError(
                f"{offered.__name__} is already provided by {owner}",
                plugin=self.plugin,
                phase="lifespan",
                where=offered.__module__,
                cure="let one of them provide a type of its own",
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


@dataclass(frozen=True, slots=True)
class Provided:
    """A FastAPI dependency that hands over a service, or a plugin's settings, by type."""

    kind: type

    async def __call__(self, request: HTTPConnection) -> Any:
        services: Services = current_context(request).services
        if self.kind is App:
            return App(services, current_context(request).plugin)
        if self.kind in services.plugin_settings:
            return services.plugin_settings[self.kind]
        return App(services, "").get(self.kind)


def provided(kind: type) -> Any:
    """Ask by type for a service, or for a plugin's settings, as a FastAPI dependency."""
    return Depends(Provided(kind))
