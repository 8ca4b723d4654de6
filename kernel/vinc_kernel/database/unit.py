"""What one request does in the database: one connection, one transaction, bound to one tenant.

The scope is set in a statement of its own between BEGIN and the first statement, all in one round trip, and it is gone
with the transaction. What a statement may have set for longer is reset in the round trip of COMMIT or ROLLBACK: nothing
of a tenant outlives its transaction on a pooled connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from psycopg import AsyncConnection, AsyncCursor
from psycopg.pq import PipelineStatus, TransactionStatus

from ..errors import DatabaseError
from .failures import told
from .orm import orm_session
from .refused import ENDED, refuse
from .scope import Scope

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from .statements import Query, Statements

# In one message with the end, so that a pooler sends it to the same backend. DISCARD ALL would do more, and not here.
RESET = (
    b"reset session authorization; reset role; reset all; close all; unlisten *; discard sequences; "
    b"select pg_advisory_unlock_all()"
)
BEGIN, COMMIT, ROLLBACK = b"begin", b"commit; " + RESET, b"rollback; " + RESET
SCOPE = b"select set_config('vinc.tenant_id', %s, true)"
SCOPE_TO_READ = b"select set_config('vinc.tenant_id', %s, true), set_config('transaction_read_only', 'on', true)"
Answer = AsyncCursor[tuple[Any, ...]]


class Lender(Protocol):
    """Where connections come from: the pool, or in a test what stands for it."""

    statements: Statements

    async def acquire(self) -> AsyncConnection:
        """A connection that stands; raises Unavailable when none is free in time."""

    def release(
        self, connection: AsyncConnection, *, reset: bool = False, asking: Collection[asyncio.Task[Any]] = ()
    ) -> None:
        """Take it back, at once; `reset`: something may be left on it; `asking`: who still waits for an answer."""


@dataclass(slots=True, eq=False)
class UnitOfWork:
    """What one request does in the database: all of it or nothing. Its connection is taken with the first statement."""

    postgres: Lender
    scope: Scope
    connection: AsyncConnection | None = None
    began: bool = False
    failed: bool = False
    ended: bool = False
    borrower: AsyncSession | None = None
    asking: set[asyncio.Task[Any] | None] = field(default_factory=set)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, queries: Sequence[Query]) -> list[Answer]:
        """Run these in one round trip, with the beginning before the first; raises a Problem or DatabaseError."""
        async with self.line() as connection, connection.pipeline():
            for query in queries:
                refuse(query.sql)
            if not self.began:
                await self.begin(connection)
            return [await connection.execute(query.sql.encode(), query.values) for query in queries]

    async def lend(self) -> AsyncConnection:
        """The connection, in its transaction, for SQLAlchemy's ORM."""
        async with self.line() as connection:
            if not self.began:
                async with connection.pipeline():
                    await self.begin(connection)
            return connection

    async def restart(self) -> None:
        """Undo everything so far and go on in a new transaction with the same scope."""
        async with self.line(after_failure=True) as connection:
            self.failed = False
            await connection.execute(ROLLBACK, prepare=False)
            async with connection.pipeline():
                await self.begin(connection)

    async def begin(self, connection: AsyncConnection) -> None:
        self.began = True
        await connection.execute(BEGIN)
        scope = SCOPE_TO_READ if self.scope.read_only else SCOPE
        await connection.execute(scope, [str(self.scope.tenant) if self.scope.tenant else ""])

    @asynccontextmanager
    async def line(self, *, after_failure: bool = False) -> AsyncGenerator[AsyncConnection]:
        """The connection, for one exchange at a time."""
        with self.asks():
            async with self.lock:
                connection = await self.taken()
                if not after_failure:
                    self.require_success(connection)
                async with self.exchange(connection):
                    yield connection

    @asynccontextmanager
    async def exchange(self, connection: AsyncConnection) -> AsyncGenerator[None]:
        """Whatever breaks off in the middle of it closes the connection."""
        try:
            yield
            self.require_transaction(connection)
        except Exception as error:
            self.failed = True
            drop_if_busy(connection)
            ours = told(error)
            if ours is None:
                raise
        except BaseException:  # cancelled: the answer of the server may still be under way
            self.failed = True
            connection.pgconn.finish()
            raise
        else:
            return
        raise ours from None

    @contextmanager
    def asks(self) -> Generator[None]:
        """Remember who waits for an answer: a handler may fail and leave another task of its own alone."""
        task = asyncio.current_task()
        self.asking.add(task)
        try:
            yield
        finally:
            self.asking.discard(task)

    def others(self) -> list[asyncio.Task[Any]]:
        return [task for task in self.asking if task is not None and task is not asyncio.current_task()]

    async def taken(self) -> AsyncConnection:
        self.require_open()
        if self.connection is None:
            connection = await self.postgres.acquire()
            if self.ended:  # while this waited; nobody would give it back
                self.postgres.release(connection)
            self.require_open()
            self.connection = connection
        return self.connection

    def require_open(self) -> None:
        """Raise DatabaseError once the request has had its session."""
        if self.ended:
            message = "this request's session has ended: use app.session() for what comes after the answer"
            raise DatabaseError(message)

    def require_success(self, connection: AsyncConnection) -> None:
        """Raise DatabaseError when an earlier statement has failed."""
        if self.failed:
            message = "a statement came after one that had failed: let the first error pass, or ask before you write"
            raise DatabaseError(message)
        self.require_transaction(connection)

    def require_transaction(self, connection: AsyncConnection) -> None:
        """Raise DatabaseError, and close the connection, when a statement has ended the transaction."""
        if self.began and connection.pgconn.transaction_status == TransactionStatus.IDLE:
            raise self.lost(connection, ENDED)

    def lost(self, connection: AsyncConnection, why: str) -> DatabaseError:
        """The error after which nothing more is asked of the connection."""
        self.failed = True
        connection.pgconn.finish()
        return DatabaseError(why)

    def orm(self) -> AsyncSession:
        """SQLAlchemy's session on this connection and in this transaction; one for the whole request."""
        if self.borrower is None:
            self.borrower = orm_session(self, self.postgres.statements)
        return self.borrower

    async def commit(self) -> None:
        """Make it last; raises when the database says no, also when a failure was swallowed on the way."""
        if self.borrower is not None and not self.ended:
            await self.borrower.flush()
        if self.began and not self.ended:
            async with self.line() as connection:
                answer = await connection.execute(COMMIT, prepare=False)
                if answer.statusmessage != "COMMIT":  # an error of the ORM was caught, and the transaction lost
                    self.failed = True
                    message = "nothing was stored: an error of a statement was caught, and the request went on"
                    raise DatabaseError(message)
                self.began = False
        await self.end()

    async def rollback(self) -> None:
        """Undo it. The connection goes back with `close`, which sends the ROLLBACK: nobody needs to wait for it."""
        await self.end()

    async def close(self) -> None:
        """Give the connection back; what was not committed is undone. Calling it again does nothing."""
        try:
            await self.end()
        finally:
            connection, self.connection = self.connection, None
            if connection is not None:
                self.postgres.release(connection, reset=self.began or self.failed, asking=self.others())

    async def end(self) -> None:
        self.ended = True
        borrower, self.borrower = self.borrower, None
        if borrower is not None and not self.others():
            await borrower.close()  # never waits: the connection is only borrowed


def drop_if_busy(connection: AsyncConnection) -> None:
    """Close it when an answer is still under way: whoever got it next would read that one."""
    busy = connection.pgconn.transaction_status == TransactionStatus.ACTIVE
    if busy or connection.pgconn.pipeline_status != PipelineStatus.OFF:
        connection.pgconn.finish()
