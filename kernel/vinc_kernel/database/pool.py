"""The connections to PostgreSQL, and the sessions that are made on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from .failures import told
from .probe import Probe
from .scope import Scope
from .session import DatabaseSession
from .statements import Statements
from .unit import RESET, ROLLBACK, UnitOfWork, drop_if_busy

T = TypeVar("T")
SECONDS_TO_ROLL_BACK = 5.0
OPEN = (TransactionStatus.INTRANS, TransactionStatus.INERROR)


@dataclass(slots=True, eq=False)
class Postgres:
    """One pool for everything that a worker asks of PostgreSQL."""

    pool: AsyncConnectionPool
    statements: Statements
    probe: Probe
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def unit(self, scope: Scope) -> UnitOfWork:
        """A unit of work in this scope; whoever asks for it must close it."""
        return UnitOfWork(self, scope)

    @asynccontextmanager
    async def session(self, scope: Scope) -> AsyncGenerator[DatabaseSession]:
        """A session of its own, committed at the end and rolled back on an error."""
        unit = self.unit(scope)
        try:
            yield DatabaseSession(unit)
            await unit.commit()
        finally:
            await unit.close()

    async def ping(self) -> None:
        """Raise unless PostgreSQL answers, on a connection that is not the pool's."""
        await self.probe.ping()

    async def acquire(self) -> AsyncConnection:
        """A connection that stands; raises Unavailable when none is free in time.

        A caller that is cancelled while it waits cannot take what it gets: it goes back by itself.
        """
        try:
            async with asyncio.timeout(self.pool.timeout):
                while True:
                    connection = await self.first_free()
                    if stands(connection):
                        return connection
                    self.release(connection)
        except (psycopg.Error, TimeoutError) as error:
            ours = told(error if isinstance(error, psycopg.Error) else PoolTimeout())
            if ours is None:
                raise
        raise ours from None

    async def first_free(self) -> AsyncConnection:
        waiting = self.keep(asyncio.create_task(self.pool.getconn()))
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            waiting.add_done_callback(self.unclaimed)
            raise

    def unclaimed(self, waiting: asyncio.Task[AsyncConnection]) -> None:
        if not waiting.cancelled() and waiting.exception() is None:
            self.release(waiting.result())

    def release(
        self, connection: AsyncConnection, *, reset: bool = False, asking: Collection[asyncio.Task[Any]] = ()
    ) -> None:
        """Give it back, at once and without waiting, so that no cancellation can come between.

        `reset`: undo what was not committed, and what a statement may have set beyond its transaction. `asking`: tasks
        that still wait for an answer on it; they are cancelled first, as nobody may close a socket under a waiting one.
        """
        for task in asking:
            task.cancel()
        self.keep(asyncio.create_task(self.put(connection, reset=reset, asking=asking)))
        if not asking:
            drop_if_busy(connection)

    async def put(self, connection: AsyncConnection, *, reset: bool, asking: Collection[asyncio.Task[Any]]) -> None:
        try:
            if asking:
                await asyncio.wait(asking, timeout=SECONDS_TO_ROLL_BACK)
                drop_if_busy(connection)
            status = connection.pgconn.transaction_status
            if status in OPEN or (reset and status == TransactionStatus.IDLE):
                async with asyncio.timeout(SECONDS_TO_ROLL_BACK):
                    await connection.execute(ROLLBACK if status in OPEN else RESET, prepare=False)
        except (psycopg.Error, TimeoutError):
            connection.pgconn.finish()  # which rolls back as well
        finally:
            await self.pool.putconn(connection)

    def keep(self, task: asyncio.Task[T]) -> asyncio.Task[T]:
        """Hold on to a task until it is done: asyncio itself holds only a weak reference."""
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def settled(self) -> None:
        """Wait until everything that was given back has arrived."""
        while self.tasks:
            await asyncio.wait(self.tasks)


def stands(connection: AsyncConnection) -> bool:
    """Whether the server has not hung up meanwhile; asks the socket only, and costs two microseconds."""
    try:
        connection.pgconn.consume_input()  # its last words, if there are any
        connection.pgconn.consume_input()  # the end of the line
    except psycopg.OperationalError:
        return False
    return connection.pgconn.status == ConnStatus.OK
