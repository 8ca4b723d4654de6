"""Read the numbers of changes twice a second, and hear of changes at once, on a connection of its own.

It is not the pool's: a full pool must not make a worker believe what is old, and LISTEN needs a line that stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql

from .changes import Changes
from .running import running

logger = logging.getLogger("vinc.changes")
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_BETWEEN_TRIES = 0.5
SECONDS_TO_ANSWER = 1.0
NUMBERS = sql.SQL("select topic, number from public.vinc_change")
BACKEND = sql.SQL("select pg_backend_pid()")
LISTEN = sql.SQL("listen {}")
Rows = list[tuple[Any, ...]]
Statement = sql.SQL | sql.Composed


@asynccontextmanager
async def watched(changes: Changes, parameters: Mapping[str, Any]) -> AsyncGenerator[None]:
    """Follow the numbers until the block ends; `parameters` are libpq's."""
    watch = Watch(changes, parameters)
    changes.look = watch.asked.set
    async with running(watch.run(), "vinc-changes"):
        with suppress(TimeoutError):  # it goes on without: nothing is cached until then
            async with asyncio.timeout(SECONDS_TO_ANSWER):
                await watch.looked.wait()
        yield


class Watch:
    """One worker's look at the numbers. It comes back by itself, whatever happens to its line."""

    def __init__(self, changes: Changes, parameters: Mapping[str, Any]) -> None:
        self.changes, self.parameters = changes, {**parameters, "application_name": "vinc-changes"}
        self.asked, self.looked = asyncio.Event(), asyncio.Event()
        self.is_lost = False

    async def run(self) -> None:
        while True:
            try:
                async with line(self.parameters) as connection:
                    await self.follow(connection)
            except (psycopg.Error, OSError) as error:  # TimeoutError is one of the latter
                self.tell_lost(error)
            await asyncio.sleep(SECONDS_BETWEEN_TRIES)

    async def follow(self, connection: AsyncConnection) -> None:
        listens = self.changes.channel is not None and await is_direct(connection)
        if listens:
            await ask(connection, LISTEN.format(sql.Identifier(str(self.changes.channel))))
        while True:
            began, before = monotonic(), dict(self.changes.numbers)
            found = await ask(connection, NUMBERS)
            self.changes.read(began, before, dict(found))
            self.tell_seen()
            await self.pause(connection, began + SECONDS_BETWEEN_LOOKS, listens=listens)

    async def pause(self, connection: AsyncConnection, until: float, *, listens: bool) -> None:
        """Wait for the next look, and hear what is told meanwhile."""
        while not self.asked.is_set() and (left := until - monotonic()) > 0:
            if listens:
                for heard in [one async for one in connection.notifies(timeout=left, stop_after=1)]:
                    self.changes.hear(heard.payload)
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.asked.wait(), left)
        self.asked.clear()

    def tell_lost(self, error: Exception) -> None:
        if not self.is_lost:
            reason = getattr(error, "sqlstate", None) or type(error).__name__
            logger.warning("changes cannot be followed (%s): nothing cached is believed until they can", reason)
        self.is_lost = True
        self.looked.set()

    def tell_seen(self) -> None:
        if self.is_lost:
            logger.warning("changes are followed again")
        self.is_lost = False
        self.looked.set()


@asynccontextmanager
async def line(parameters: Mapping[str, Any]) -> AsyncGenerator[AsyncConnection]:
    async with asyncio.timeout(SECONDS_TO_ANSWER):
        connection = await AsyncConnection.connect(**parameters, autocommit=True, prepare_threshold=None)
    try:
        yield connection
    finally:
        connection.pgconn.finish()  # without a word to the server, who may not listen


async def is_direct(connection: AsyncConnection) -> bool:
    """Whether the backend is this line's own: a pooler would give what it hears to somebody else."""
    ((backend,),) = await ask(connection, BACKEND)
    return bool(backend == connection.info.backend_pid)


async def ask(connection: AsyncConnection, statement: Statement) -> Rows:
    """The rows of a statement; raises TimeoutError when they don't come in time."""
    asking = asyncio.create_task(rows(connection, statement))
    try:
        await asyncio.wait([asking], timeout=SECONDS_TO_ANSWER)
    finally:
        late = not asking.done()
        if late:
            connection.pgconn.finish()  # first, as psycopg would ask a silent server to cancel, and wait ten seconds
            asking.cancel()
    if late:
        raise TimeoutError
    return asking.result()


async def rows(connection: AsyncConnection, statement: Statement) -> Rows:
    cursor = await connection.execute(statement)
    return await cursor.fetchall() if cursor.description else []
