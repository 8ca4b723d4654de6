"""Open connections as an application does."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from vinc_kernel.connections.postgres import make_postgres, opened_postgres
from vinc_kernel.connections.redis import make_redis, opened_redis
from vinc_kernel.database.postgres import Postgres
from vinc_kernel.settings import DatabaseSettings, RedisSettings


@asynccontextmanager
async def postgres(settings: DatabaseSettings) -> AsyncGenerator[Postgres]:
    """Yield an open pool."""
    made = make_postgres(settings)
    assert made is not None
    async with opened_postgres(made, settings):
        yield made


@asynccontextmanager
async def redis(settings: RedisSettings) -> AsyncGenerator[Redis]:
    """Yield an open client."""
    made = make_redis(settings)
    assert made is not None
    async with opened_redis(made):
        yield made
