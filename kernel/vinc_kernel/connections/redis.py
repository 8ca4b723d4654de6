"""Open Redis, or Valkey: optional, with a time limit on each call, and reconnecting by itself.

What this uses of redis-py 8 without a promise in its documentation: that each command goes through
`Redis.execute_command` or `Pipeline.execute`, and what a pipeline sends at once through
`Pipeline.immediate_execute_command`; the arguments of `Pipeline`, and `Redis.response_callbacks`.
tests/kernel/test_private_names.py fails when one is gone, and tests/integration/test_redis.py when one behaves
differently: look then at `redis.asyncio.client.Redis.pipeline`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from ..settings import RedisSettings

logger = logging.getLogger("vinc.redis")


class DeadlinePipeline(Pipeline):
    """A pipeline whose calls end within `seconds`."""

    seconds: float

    async def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002  redis-py's signature
        async with deadline(self.seconds):
            results: list[Any] = await super().execute(raise_on_error)
            return results

    async def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        async with deadline(self.seconds):
            return await super().immediate_execute_command(*args, **options)  # type: ignore[no-untyped-call]  # redis-py's


class DeadlineRedis(Redis):
    """A client whose calls end within `seconds`; redis-py's own limit is one for each read, retry and connection."""

    seconds: float

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        async with deadline(self.seconds):
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # redis-py's

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:  # noqa: FBT001, FBT002  as above
        pipeline = DeadlinePipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipeline.seconds = self.seconds
        return pipeline


@asynccontextmanager
async def deadline(seconds: float) -> AsyncGenerator[None]:
    """Raise redis-py's TimeoutError after this time."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise RedisTimeout(f"Redis did not answer within {seconds:g} s (VINC_REDIS_SOCKET_TIMEOUT)") from None


def make_redis(settings: RedisSettings) -> Redis | None:
    """Return the client, which connects when it is first used; None where VINC_REDIS_URL is not set."""
    if settings.url is None:
        return None
    pool = BlockingConnectionPool.from_url(
        settings.url.get_secret_value(),
        max_connections=settings.max_connections,
        timeout=settings.socket_timeout,
        socket_timeout=settings.socket_timeout,
        socket_connect_timeout=settings.socket_timeout,
        retry=Retry(NoBackoff(), 1),  # redis-py 8 retries ten times by default
    )
    client = DeadlineRedis(connection_pool=pool)
    client.seconds = settings.socket_timeout
    return client


@asynccontextmanager
async def opened_redis(client: Redis) -> AsyncGenerator[None]:
    """Close the client at the end; a server that is away is a warning, no error."""
    try:
        try:
            await client.ping()
        except (RedisError, OSError) as error:
            text = "Redis is away (%s): starting without it; it is used when it is back"
            logger.warning(text, type(error).__name__)
        yield
    finally:
        await client.aclose()
        await client.connection_pool.disconnect()


@asynccontextmanager
async def redis_listener(settings: RedisSettings, address: SecretStr) -> AsyncGenerator[Redis]:
    """Yield a client for one subscription, which holds its connection: it takes none of the pool's."""
    client = Redis.from_url(
        address.get_secret_value(),
        socket_timeout=settings.socket_timeout,
        socket_connect_timeout=settings.socket_timeout,
        retry=Retry(NoBackoff(), 1),
    )
    try:
        yield client
    finally:
        await client.aclose()
