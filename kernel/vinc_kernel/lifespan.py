"""Open the shared connections in order and close them in reverse, also when the start fails half-way."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from .background import run_in_background
from .cache.poll import poll_versions
from .cache.redis_pubsub import channel_name, redis_pubsub
from .connections.postgres import direct_parameters, opened_postgres
from .connections.redis import opened_redis, redis_listener
from .database.startup_checks import refuse_unsafe_database
from .runtime import Runtime


@asynccontextmanager
async def connections(runtime: Runtime) -> AsyncGenerator[None]:
    """Open what all plugins share; raises ConnectionAbsent or DatabaseError without PostgreSQL."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(opened_postgres(runtime.database, runtime.settings.database))
        connection = await runtime.database.connections.acquire()
        try:
            production = runtime.settings.service.env == "prod"
            await refuse_unsafe_database(connection, runtime.database.roles, production=production)
        finally:
            runtime.database.connections.release(connection)
        if runtime.redis is not None:
            await stack.enter_async_context(opened_redis(runtime.redis))
        await keep_caches_current(runtime, stack)
        stack.push_async_callback(runtime.trusted.fetcher.close)
        await stack.enter_async_context(run_in_background(runtime.trusted.keep_fresh, every=1, name="vinc-keys"))
        yield


async def keep_caches_current(runtime: Runtime, stack: AsyncExitStack) -> None:
    """Poll the versions of cached topics, and exchange messages where there is Redis."""
    caches, database, redis = runtime.caches, runtime.settings.database, runtime.settings.redis
    await stack.enter_async_context(poll_versions(caches, direct_parameters(database)))
    if runtime.redis is not None and redis.url is not None:
        channel = await channel_name(runtime.database, database.role_prefix)
        subscriber = await stack.enter_async_context(redis_listener(redis, redis.url))
        pubsub = redis_pubsub(caches, runtime.redis, subscriber, channel, redis.socket_timeout)
        await stack.enter_async_context(pubsub)
