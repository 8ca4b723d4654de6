"""Open the shared connections in order and close them in reverse, also when the start fails half-way."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from .cache.bus import bus
from .cache.identity import identity
from .cache.running import running
from .cache.watch import watched
from .connections.postgres import connection_parameters, postgres
from .connections.redis import ping, redis, redis_listener
from .database.postgres import Postgres
from .database.roles import Roles
from .database.startup_checks import refuse_unsafe_database
from .services import HealthCheck, Services
from .settings import KernelSettings


@asynccontextmanager
async def connections(services: Services) -> AsyncGenerator[None]:
    """Put the connections and the checks of their health into the services; raises DatabaseError without PostgreSQL."""
    async with AsyncExitStack() as stack:
        stack.callback(forget, services)
        services.postgres = await stack.enter_async_context(postgres(services.settings.database))
        await look_at_role(services.postgres, services.settings)
        watch(services, HealthCheck(name="postgres", required=True, ask=services.postgres.ping))
        services.redis = await stack.enter_async_context(redis(services.settings.redis))
        if services.redis is not None:
            watch(services, HealthCheck(name="redis", required=False, ask=partial(ping, services.redis)))
        await follow_changes(services, stack)
        stack.push_async_callback(services.trusted.fetcher.close)
        await stack.enter_async_context(running(services.trusted.keep_fresh(), "vinc-keys"))
        yield


async def look_at_role(database: Postgres, settings: KernelSettings) -> None:
    connection = await database.acquire()
    try:
        roles = Roles(settings.database.role_prefix)
        await refuse_unsafe_database(connection, roles, production=settings.service.env == "prod")
    finally:
        database.release(connection)


async def follow_changes(services: Services, stack: AsyncExitStack) -> None:
    """Hear of changes through Redis where there is one, else through PostgreSQL."""
    changes, database, cache = services.changes, services.settings.database, services.settings.redis
    if services.redis is not None and cache.url is not None:
        changes.channel = None
        channel = f"{database.role_prefix}:changes:{await identity(services.database)}"
        listener = await stack.enter_async_context(redis_listener(cache, cache.url))
        await stack.enter_async_context(bus(changes, services.redis, listener, channel, cache.socket_timeout))
    else:
        changes.channel = f"{database.role_prefix}_changes"
    direct = database.model_copy(update={"url": database.direct_url or database.url})
    await stack.enter_async_context(watched(changes, connection_parameters(direct)))


def watch(services: Services, check: HealthCheck) -> None:
    """Add a check, in the place of an older one of its name: an application may be started again."""
    services.checks[:] = [other for other in services.checks if other.name != check.name] + [check]


def forget(services: Services) -> None:
    services.postgres = services.redis = None
