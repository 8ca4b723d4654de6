"""Tell the other workers of changes through Redis, and apply theirs. The poll finds whatever gets lost here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError
from sqlalchemy import TextClause, text

from ..background import run_in_background
from ..database.scope import Scope
from ..errors import Forbidden
from .registry import CacheRegistry

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

    from ..database.postgres import Postgres

logger = logging.getLogger("vinc.cache")
SECONDS_OF_SILENCE = 1.0
SECONDS_BETWEEN_TRIES = 1.0
MAX_QUEUED = 1000
# A cluster's id stays through failovers, and is another one where everything else has the same names.
CLUSTER_AND_DATABASE = text(
    "select system_identifier || '.' || oid as name from pg_control_system(), pg_database"
    " where datname = current_database()"
)
DATABASE = text("select current_database() as name")


async def channel_name(postgres: Postgres, prefix: str) -> str:
    """Return the name of this database's channel, which no other installation on the same Redis has."""
    try:
        name = await fetch_name(postgres, CLUSTER_AND_DATABASE)
    except Forbidden:  # pg_control_system() is revoked, as by some who host PostgreSQL
        name = await fetch_name(postgres, DATABASE)
    return f"{prefix}:changes:{name}"


async def fetch_name(postgres: Postgres, query: TextClause) -> str:
    async with postgres.session(Scope(read_only=True)) as db:
        return (await db.one(query, dict[str, str]))["name"]


@asynccontextmanager
async def redis_pubsub(
    registry: CacheRegistry, client: Redis, subscriber: Redis, channel: str, flush_timeout: float
) -> AsyncGenerator[None]:
    """Publish with `client`, subscribe with `subscriber`; the end waits `flush_timeout` seconds for what is queued."""
    pubsub = RedisPubSub(registry, client, subscriber, channel)
    registry.publish = pubsub.publish
    async with (
        run_in_background(pubsub.receive, every=SECONDS_BETWEEN_TRIES, name="vinc-redis-receive"),
        run_in_background(pubsub.send, every=SECONDS_BETWEEN_TRIES, name="vinc-redis-send"),
    ):
        yield
        with suppress(TimeoutError):  # it is lost then
            async with asyncio.timeout(flush_timeout):
                await pubsub.queue.join()


class RedisPubSub:
    """One worker's end of the channel. No request waits for it."""

    def __init__(self, registry: CacheRegistry, client: Redis, subscriber: Redis, channel: str) -> None:
        self.registry, self.client, self.subscriber, self.channel = registry, client, subscriber, channel
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(MAX_QUEUED)
        self.is_away = False

    def publish(self, data: bytes) -> None:
        """Queue a message; one that does not fit is lost."""
        with suppress(asyncio.QueueFull):
            self.queue.put_nowait(data)

    async def send(self) -> None:
        """Send what is queued until that fails; what is queued then is lost."""
        try:
            while True:
                await self.client.publish(self.channel, await self.queue.get())
                self.queue.task_done()
        except (RedisError, OSError) as error:
            self.queue = asyncio.Queue(MAX_QUEUED)
            self.warn(error)

    async def receive(self) -> None:
        try:
            async with self.subscriber.pubsub() as pubsub:
                await pubsub.subscribe(self.channel)
                await self.listen(pubsub)
        except (RedisError, OSError) as error:
            self.warn(error)

    async def listen(self, pubsub: PubSub) -> None:
        """Apply what comes; raises TimeoutError when nothing comes, not even the answer to a PING."""
        has_pinged = False
        while True:
            received: dict[str, Any] | None = await pubsub.get_message(timeout=SECONDS_OF_SILENCE)
            if received is None:
                if has_pinged:
                    raise TimeoutError
                await pubsub.ping()
            elif received["type"] == "message":
                self.registry.on_message(received["data"])
            elif received["type"] == "subscribe":  # also after redis-py has reconnected
                self.is_away = False
            has_pinged = received is None

    def warn(self, error: Exception) -> None:
        if not self.is_away:
            logger.warning("Redis is away (%s): other workers see changes within a second", type(error).__name__)
        self.is_away = True
