"""Tell other workers of changes through Redis, and hear of theirs. Whatever gets lost here, the numbers tell."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from .changes import Changes
from .running import running

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

logger = logging.getLogger("vinc.changes")
SECONDS_OF_SILENCE = 1.0
SECONDS_BETWEEN_TRIES = 1.0
MOST_WAITING = 1000


@asynccontextmanager
async def bus(changes: Changes, client: Redis, listener: Redis, channel: str, seconds: float) -> AsyncGenerator[None]:
    """Publish with `client`, hear with `listener`; at the end, wait so many seconds for what is not sent yet."""
    made = Bus(changes, client, listener, channel)
    changes.publish = made.publish
    async with running(made.listen(), "vinc-bus-in"), running(made.send(), "vinc-bus-out"):
        yield
        with suppress(TimeoutError):  # as if it were lost
            async with asyncio.timeout(seconds):
                await made.waiting.join()


class Bus:
    """One worker's end of the bus. No request waits for it."""

    def __init__(self, changes: Changes, client: Redis, listener: Redis, channel: str) -> None:
        self.changes, self.client, self.listener, self.channel = changes, client, listener, channel
        self.waiting: asyncio.Queue[str] = asyncio.Queue(MOST_WAITING)
        self.is_away = False

    def publish(self, text: str) -> None:
        """Have it sent soon; what does not fit any more is lost."""
        with suppress(asyncio.QueueFull):
            self.waiting.put_nowait(text)

    async def send(self) -> None:
        """Send what waits. After a failure nothing is sent for a while, and what was to be sent meanwhile is lost."""
        while True:
            text = await self.waiting.get()
            try:
                await self.client.publish(self.channel, text)
            except (RedisError, OSError) as error:
                self.tell_away(error)
                await asyncio.sleep(SECONDS_BETWEEN_TRIES)
                while not self.waiting.empty():
                    self.waiting.get_nowait()
                    self.waiting.task_done()
            self.waiting.task_done()

    async def listen(self) -> None:
        while True:
            try:
                async with self.listener.pubsub() as line:
                    await line.subscribe(self.channel)
                    await self.hear(line)
            except (RedisError, OSError) as error:
                self.tell_away(error)
            await asyncio.sleep(SECONDS_BETWEEN_TRIES)

    async def hear(self, line: PubSub) -> None:
        """Pass on what is told; raises TimeoutError for a line on which nothing comes, not even what we ask for."""
        is_asked = False
        while True:
            heard: dict[str, Any] | None = await line.get_message(timeout=SECONDS_OF_SILENCE)
            if heard is None:
                if is_asked:
                    raise TimeoutError
                await line.ping()
            elif heard["type"] == "message":
                self.changes.hear(heard["data"].decode("ascii", "replace"))
            elif heard["type"] == "subscribe":  # also after redis-py made a new line, without a word (threats F6)
                self.is_away = False
                self.changes.look()
            is_asked = heard is None

    def tell_away(self, error: Exception) -> None:
        if not self.is_away:
            logger.warning("Redis is away (%s): changes reach other workers by PostgreSQL alone", type(error).__name__)
        self.is_away = True
