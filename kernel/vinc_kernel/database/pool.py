"""Lend connections: at once where one is free, and without a task or a lock; psycopg's pool makes and replaces them.

Giving back is synchronous, so that no cancellation can come between; whoever waits longest gets it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Coroutine
from contextvars import Context
from time import monotonic
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from .failures import told
from .pipeline import PipelineConnection, Statement

SECONDS_TO_ROLL_BACK = 5.0
SECONDS_IDLE = 60.0  # of more connections than the smallest number, until psycopg's pool may close them
SECONDS_TO_LIVE = 3600.0
OPEN = (TransactionStatus.INTRANS, TransactionStatus.INERROR)
ROLLBACK = Statement(b"rollback")
# What a statement may have set beyond its transaction. DISCARD ALL would do more, and not in the trip of a COMMIT.
RESET = tuple(
    Statement(statement, prepare=False)
    for statement in (
        b"reset session authorization",
        b"reset role",
        b"reset all",
        b"close all",
        b"unlisten *",
        b"discard sequences",
        b"discard temp",
        b"select pg_advisory_unlock_all()",
    )
)
Pool = AsyncConnectionPool[PipelineConnection]
Waiting = asyncio.Future[PipelineConnection]


class ConnectionPool:
    """The connections that are taken out of a pool, and who waits for one."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.free: list[PipelineConnection] = []
        self.waiting: deque[Waiting] = deque()
        self.taken_out = 0
        self.tasks: set[asyncio.Task[None]] = set()

    async def acquire(self) -> PipelineConnection:
        """A connection that stands; raises Unavailable when none is free in time."""
        while self.free:
            connection = self.free.pop()
            if connection.stands():
                return connection
            self.keep(self.replace(connection))
        return await self.next_given()

    async def next_given(self) -> PipelineConnection:
        loop = asyncio.get_running_loop()
        waiting: Waiting = loop.create_future()
        self.waiting.append(waiting)
        self.take_out()
        timer = loop.call_later(self.pool.timeout, expire, waiting)
        try:
            return await waiting
        except PoolTimeout as error:
            raise told(error) or error from None
        except BaseException:
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                self.release(waiting.result())  # it came together with our cancellation
            raise
        finally:
            timer.cancel()

    def release(
        self, connection: PipelineConnection, *, reset: bool = False, asking: Collection[asyncio.Task[Any]] = ()
    ) -> None:
        """Take it back at once; what was not committed on it is undone.

        `reset`: something may be left on it. `asking`: tasks that still wait for an answer on it; they are cancelled
        first, as nobody may close a socket under a waiting one.
        """
        if not (asking or reset) and connection.is_idle and (now := monotonic()) < connection.until:
            connection.idle_since = now
            self.give(connection)
            return
        for task in asking:
            task.cancel()
        if not asking and connection.is_busy:
            connection.abandon()
        self.keep(self.repair(connection, asking, reset=reset))

    def give(self, connection: PipelineConnection) -> None:
        connection.response_timeout = connection.default_response_timeout
        while self.waiting:
            waiting = self.waiting.popleft()
            if not waiting.done():
                waiting.set_result(connection)
                return
        self.free.append(connection)
        if len(self.free) > self.pool.min_size and self.free[0].idle_since < connection.idle_since - SECONDS_IDLE:
            self.keep(self.replace(self.free.pop(0)))

    async def repair(
        self, connection: PipelineConnection, asking: Collection[asyncio.Task[Any]], *, reset: bool
    ) -> None:
        """Bring it to where somebody else may have it; else psycopg's pool makes another in its place."""
        if asking:
            await asyncio.wait(asking, timeout=SECONDS_TO_ROLL_BACK)
        if connection.is_busy:
            connection.abandon()
        questions = [ROLLBACK] if connection.pgconn.transaction_status in OPEN else []
        try:
            async with asyncio.timeout(SECONDS_TO_ROLL_BACK):
                if questions or reset:
                    await connection.ask([*questions, *(RESET if reset else ())])
        except (psycopg.Error, TimeoutError):
            connection.abandon()  # which rolls back as well
        if connection.is_idle and monotonic() < connection.until:
            self.give(connection)
        else:
            await self.replace(connection)

    async def replace(self, connection: PipelineConnection) -> None:
        """Give it to psycopg's pool, which closes it where it is too old, or too many, and makes a new one."""
        try:
            await self.pool.putconn(connection)
        finally:
            self.taken_out -= 1
            if self.waiting:
                self.take_out()
        await connection.cancel_abandoned()

    def take_out(self) -> None:
        """Have one more connection taken out of the pool, unless all are."""
        if self.taken_out < self.pool.max_size:
            self.taken_out += 1
            self.keep(self.take_one_out())

    async def take_one_out(self) -> None:
        try:
            connection = await self.pool.getconn()
        except psycopg.Error:  # those who wait have a deadline of their own
            self.taken_out -= 1
            if any(not one.done() for one in self.waiting) and not self.pool.closed:
                self.take_out()
            return
        connection.until = monotonic() + SECONDS_TO_LIVE
        if connection.stands():
            self.give(connection)
        else:
            await self.replace(connection)

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it in a task that knows nothing of the request; asyncio itself would hold only a weak reference."""
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard, context=Context())

    async def settled(self) -> None:
        """Wait until everything that was given back has arrived."""
        while self.tasks:
            await asyncio.wait(self.tasks)

    async def close(self) -> None:
        """Give back what is free; what is still lent follows when it is released."""
        while self.free:
            await self.pool.putconn(self.free.pop())


def expire(waiting: Waiting) -> None:
    if not waiting.done():
        waiting.set_exception(PoolTimeout())
