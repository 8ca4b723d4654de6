"""Hand out connections without a task or a lock where one is free; psycopg's pool opens, replaces and closes them.

`release` is synchronous, so that a cancellation cannot come between; whoever waits longest gets the connection.
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

from .failures import to_problem
from .pipeline import PipelineConnection, Statement

SECONDS_TO_ROLL_BACK = 5.0
SECONDS_IDLE = 60.0  # of connections beyond the minimum, until psycopg's pool may close them
MAX_LIFETIME = 3600.0  # seconds
IN_TRANSACTION = (TransactionStatus.INTRANS, TransactionStatus.INERROR)
ROLLBACK = Statement(b"rollback")
# The session state that a statement may have left. DISCARD ALL would do more, and cannot be sent along with COMMIT.
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
Waiter = asyncio.Future[PipelineConnection]


class ConnectionPool:
    """Connections that are checked out of psycopg's pool, free or in use, and the tasks that wait for one."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.free: list[PipelineConnection] = []
        self.waiters: deque[Waiter] = deque()
        self.checked_out = 0
        self.tasks: set[asyncio.Task[None]] = set()

    async def acquire(self) -> PipelineConnection:
        """Return a connection that is alive; raises Unavailable when none is free in time."""
        while self.free:
            connection = self.free.pop()
            if connection.is_alive():
                return connection
            self.spawn(self.replace(connection))
        return await self.next_released()

    async def next_released(self) -> PipelineConnection:
        loop = asyncio.get_running_loop()
        waiter: Waiter = loop.create_future()
        self.waiters.append(waiter)
        self.check_out_another()
        timer = loop.call_later(self.pool.timeout, expire, waiter)
        try:
            return await waiter
        except PoolTimeout as error:
            raise to_problem(error) or error from None
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.release(waiter.result())  # it came together with the cancellation
            raise
        finally:
            timer.cancel()

    def release(
        self, connection: PipelineConnection, *, reset: bool = False, tasks: Collection[asyncio.Task[Any]] = ()
    ) -> None:
        """Take a connection back at once, and roll back what was not committed on it.

        `reset`: session state may be left on it. `tasks` still wait for a result on it: they are cancelled first, since
        a socket must not be closed while a task waits for it.
        """
        if not (tasks or reset) and connection.is_idle and (now := monotonic()) < connection.expires_at:
            connection.idle_since = now
            self.hand_out(connection)
            return
        for task in tasks:
            task.cancel()
        if not tasks and connection.is_busy:
            connection.abandon()
        self.spawn(self.repair(connection, tasks, reset=reset))

    def hand_out(self, connection: PipelineConnection) -> None:
        """Give the connection to the longest waiter, or keep it free."""
        connection.response_timeout = connection.default_response_timeout
        while self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self.free.append(connection)
        if len(self.free) > self.pool.min_size and self.free[0].idle_since < connection.idle_since - SECONDS_IDLE:
            self.spawn(self.replace(self.free.pop(0)))

    async def repair(
        self, connection: PipelineConnection, tasks: Collection[asyncio.Task[Any]], *, reset: bool
    ) -> None:
        """Roll back and reset the connection; have it replaced where that fails."""
        if tasks:
            await asyncio.wait(tasks, timeout=SECONDS_TO_ROLL_BACK)
        if connection.is_busy:
            connection.abandon()
        statements = [ROLLBACK] if connection.pgconn.transaction_status in IN_TRANSACTION else []
        try:
            async with asyncio.timeout(SECONDS_TO_ROLL_BACK):
                if statements or reset:
                    await connection.send([*statements, *(RESET if reset else ())])
        except (psycopg.Error, TimeoutError):
            connection.abandon()  # which rolls back as well
        if connection.is_idle and monotonic() < connection.expires_at:
            self.hand_out(connection)
        else:
            await self.replace(connection)

    async def replace(self, connection: PipelineConnection) -> None:
        """Return it to psycopg's pool, which closes it where it is too old or too many, and replaces a closed one."""
        if not connection.expires_at:
            connection.abandon()
        try:
            await self.pool.putconn(connection)
        finally:
            self.checked_out -= 1
            if self.waiters:
                self.check_out_another()
        await connection.cancel_abandoned()

    def check_out_another(self) -> None:
        """Check one more connection out of psycopg's pool, unless all are."""
        if self.checked_out < self.pool.max_size:
            self.checked_out += 1
            self.spawn(self.check_out())

    async def check_out(self) -> None:
        try:
            connection = await self.pool.getconn()
        except psycopg.Error:  # the waiters have a deadline of their own
            self.checked_out -= 1
            if any(not waiter.done() for waiter in self.waiters) and not self.pool.closed:
                self.check_out_another()
            return
        connection.expires_at = monotonic() + MAX_LIFETIME
        if connection.is_alive():
            self.hand_out(connection)
        else:
            await self.replace(connection)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it in a task without the request's context; asyncio itself holds only a weak reference to a task."""
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard, context=Context())

    async def join(self) -> None:
        """Wait until every released connection is free or replaced."""
        while self.tasks:
            await asyncio.wait(self.tasks)

    async def close(self) -> None:
        """Return the free connections to psycopg's pool; those in use follow when they are released."""
        while self.free:
            await self.pool.putconn(self.free.pop())


def expire(waiter: Waiter) -> None:
    if not waiter.done():
        waiter.set_exception(PoolTimeout())
