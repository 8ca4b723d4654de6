"""Open the shared connections in order and close them in reverse, also when the start fails half-way."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from .background import run_in_background
from .cache.poll import poll_versions
from .cache.redis_pubsub import channel_name, redis_pubsub
from .connections.postgres import direct_parameters, postgres
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
        await keep_caches_current(services, stack)
        stack.push_async_callback(services.trusted.fetcher.close)
        await stack.enter_async_context(run_in_background(services.trusted.keep_fresh, every=1, name="vinc-keys"))
        yield


async def look_at_role(database: Postgres, settings: KernelSettings) -> None:
    connection = await database.acquire()
    try:
        roles = Roles(settings.database.role_prefix)
        await refuse_unsafe_database(connection, roles, production=settings.service.env == "prod")
    finally:
        database.release(connection)


async def keep_caches_current(services: Services, stack: AsyncExitStack) -> None:
    """Poll the versions of cached topics, and exchange messages where there is Redis."""
    caches, database, settings = services.caches, services.settings.database, services.settings.redis
    await stack.enter_async_context(poll_versions(caches, direct_parameters(database)))
    if services.redis is not None and settings.url is not None:
        channel = await channel_name(services.database, database.role_prefix)
        subscriber = await stack.enter_async_context(redis_listener(settings, settings.url))
        pubsub = redis_pubsub(caches, services.redis, subscriber, channel, settings.socket_timeout)
        await stack.enter_async_context(pubsub)


def watch(services: Services, check: HealthCheck) -> None:
    """Add a check, in the place of an older one of its name: an application may be started again."""
    services.checks[:] = [other for other in services.checks if other.name != check.name] + [check]


def forget(services: Services) -> None:
    services.postgres = services.redis = None
