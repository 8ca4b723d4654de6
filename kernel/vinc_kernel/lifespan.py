"""Open the shared connections in order and close them in reverse, also when the start fails half-way."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from .connections.postgres import postgres
from .connections.redis import ping, redis
from .database.pool import Postgres
from .database.roles import Roles
from .database.standing import refuse_powerful_role
from .services import Check, Services
from .settings import KernelSettings


@asynccontextmanager
async def connections(services: Services) -> AsyncGenerator[None]:
    """Put the connections and the checks of their health into the services; raises DatabaseError without PostgreSQL."""
    async with AsyncExitStack() as stack:
        stack.callback(forget, services)
        services.postgres = await stack.enter_async_context(postgres(services.settings.database))
        await look_at_role(services.postgres, services.settings)
        watch(services, Check(name="postgres", required=True, ask=services.postgres.ping))
        services.redis = await stack.enter_async_context(redis(services.settings.redis))
        if services.redis is not None:
            watch(services, Check(name="redis", required=False, ask=partial(ping, services.redis)))
        yield


async def look_at_role(database: Postgres, settings: KernelSettings) -> None:
    connection = await database.acquire()
    try:
        roles = Roles(settings.database.role_prefix)
        await refuse_powerful_role(connection, roles, production=settings.service.env == "prod")
    finally:
        database.release(connection)


def watch(services: Services, check: Check) -> None:
    """Add a check, in the place of an older one of its name: an application may be started again."""
    services.checks[:] = [other for other in services.checks if other.name != check.name] + [check]


def forget(services: Services) -> None:
    services.postgres = services.redis = None
