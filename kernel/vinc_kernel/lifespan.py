"""Open the shared connections in order and close them in reverse, also when the start fails half-way."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from .cache.bus import bus
from .cache.identity import identity
from .cache.running import running
from .cache.watch import watched
from .connections.postgres import connection_parameters, opened_postgres
from .connections.redis import opened_redis, redis_listener
from .database.postgres import Postgres
from .database.startup_checks import refuse_unsafe_database
from .runtime import Runtime
from .settings import KernelSettings


@asynccontextmanager
async def connections(runtime: Runtime) -> AsyncGenerator[None]:
    """Open what all plugins share; raises ConnectionAbsent or DatabaseError without PostgreSQL."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(opened_postgres(runtime.database, runtime.settings.database))
        await check_database(runtime.database, runtime.settings)
        if runtime.redis is not None:
            await stack.enter_async_context(opened_redis(runtime.redis))
        await follow_changes(runtime, stack)
        stack.push_async_callback(runtime.trusted.fetcher.close)
        await stack.enter_async_context(running(runtime.trusted.keep_fresh(), "vinc-keys"))
        yield


async def check_database(database: Postgres, settings: KernelSettings) -> None:
    connection = await database.acquire()
    try:
        await refuse_unsafe_database(connection, database.roles, production=settings.service.env == "prod")
    finally:
        database.release(connection)


async def follow_changes(runtime: Runtime, stack: AsyncExitStack) -> None:
    """Hear of changes through Redis where there is one, else through PostgreSQL."""
    changes, database, cache = runtime.changes, runtime.settings.database, runtime.settings.redis
    if runtime.redis is not None and cache.url is not None:
        changes.channel = None
        channel = f"{database.role_prefix}:changes:{await identity(runtime.database)}"
        listener = await stack.enter_async_context(redis_listener(cache, cache.url))
        await stack.enter_async_context(bus(changes, runtime.redis, listener, channel, cache.socket_timeout))
    else:
        changes.channel = f"{database.role_prefix}_changes"
    direct = database.model_copy(update={"url": database.direct_url or database.url})
    await stack.enter_async_context(watched(changes, connection_parameters(direct)))
