"""What one request does in the database: one connection, one transaction, bound to one tenant.

The scope is set in a statement of its own between BEGIN and the first statement, all in one round trip, and it is gone
with the transaction. Where writes are refused, each round trip is a transaction by itself, without BEGIN and COMMIT,
and the connection goes back after it. What a statement may have set for longer is reset in the round trip of COMMIT or
ROLLBACK: nothing of a tenant outlives its transaction on a pooled connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from psycopg.errors import DeadlockDetected, FeatureNotSupported, SerializationFailure
from psycopg.pq import TransactionStatus

from ..errors import DatabaseError, VincError
from .failures import told
from .forbidden import ENDED
from .orm import orm_session
from .pipeline import PipelineConnection, Result, Statement
from .pool import RESET, ROLLBACK
from .roles import Roles
from .scope import Scope

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from .statements import Query, Statements

BEGIN, COMMIT = Statement(b"begin"), Statement(b"commit")
TENANT = "set_config('vinc.tenant_id', $1, true)"
# The role too, each time: a function that has set it for longer than its transaction must not have set it for others.
AS_OURSELVES = "set_config('role', 'none', true)"
TO_READ = f"select {TENANT}, set_config('transaction_read_only', 'on', true)"
TO_WRITE = f"select {TENANT}, set_config('vinc.actor_id', $2, true)"
# Not every version of PostgreSQL has each of them.
WITHOUT_LIMITS = Statement(b"""
select set_config(name, '0', true) from pg_settings
where name in ('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout')
""")
Take = Callable[[Sequence[tuple[Any, ...]]], None]
AS_PLATFORM = "set_config('role', ${}, true)"  # what `set local role` does


class Lender(Protocol):
    """Where connections come from: the pool, or in a test what stands for it."""

    statements: Statements
    roles: Roles

    async def acquire(self) -> PipelineConnection:
        """A connection that stands; raises Unavailable when none is free in time."""

    def release(
        self, connection: PipelineConnection, *, reset: bool = False, asking: Collection[asyncio.Task[Any]] = ()
    ) -> None:
        """Take it back, at once; `reset`: something may be left on it; `asking`: who still waits for an answer."""


def beginning(scope: Scope, roles: Roles) -> Statement:
    """The statement that binds a transaction to its scope."""
    words, values = TO_WRITE, [str(scope.tenant or ""), str(scope.actor or "")]
    if scope.read_only:
        words, values = TO_READ, values[:1]
    if not scope.platform:
        return Statement(f"{words}, {AS_OURSELVES}".encode(), values)
    values.append(roles.platform)
    return Statement(f"{words}, {AS_PLATFORM.format(len(values))}".encode(), values)


@dataclass(slots=True, eq=False)
class UnitOfWork:
    """What one request does in the database: all of it or nothing. Its connection is taken with the first statement."""

    postgres: Lender
    scope: Scope
    connection: PipelineConnection | None = None
    began: bool = False
    failed: bool = False
    ended: bool = False
    serialization_failed: bool = False
    """Whether another transaction came between, so that the same may succeed when all of it is tried again."""
    leaves_session_state: bool = False
    """Whether something of a statement may outlive the transaction."""
    borrower: AsyncSession | None = None
    last: list[tuple[Callable[[], Query], Take | None]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)  # what others keep for as long as this unit
    asking: set[asyncio.Task[Any] | None] = field(default_factory=set)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, queries: Sequence[Query]) -> list[Result]:
        """Run these in one round trip, with the beginning before the first; raises a Problem or DatabaseError."""
        questions = [self.checked(query) for query in queries]
        async with self.line() as connection:
            if self.began:
                return await connection.ask(questions)
            if self.scope.read_only and not self.leaves_session_state:
                return (await ask_first(connection, [self.beginning(), *questions]))[1:]
            return (await self.begin(connection, questions))[2:]

    def checked(self, query: Query) -> Statement:
        """What to send of it; raises DatabaseError for a statement that is not for a session."""
        if query.shape.refusal:
            raise DatabaseError(query.shape.refusal)
        self.leaves_session_state = self.leaves_session_state or query.shape.leaves_session_state
        return query.question

    async def begin(self, connection: PipelineConnection, questions: Sequence[Statement] = ()) -> list[Result]:
        self.began = True
        return await ask_first(connection, [BEGIN, self.beginning(), *questions])

    def beginning(self) -> Statement:
        return beginning(self.scope, self.postgres.roles)

    async def lend(self) -> PipelineConnection:
        """The connection, in its transaction, for SQLAlchemy's ORM."""
        async with self.line() as connection:
            if not self.began:
                await self.begin(connection)
            return connection

    async def lift_time_limits(self) -> None:
        """Let this transaction take as long as it must."""
        async with self.line() as connection:
            connection.response_timeout = None
            if not self.began:
                await self.begin(connection)
            await connection.ask([WITHOUT_LIMITS])

    async def restart(self) -> None:
        """Undo everything so far and go on in a new transaction with the same scope."""
        async with self.line(after_failure=True) as connection:
            self.failed = self.serialization_failed = False
            await connection.ask([ROLLBACK, *self.resets(), BEGIN, self.beginning()])

    def resets(self) -> Sequence[Statement]:
        """What goes along with the end of the transaction."""
        return RESET if self.leaves_session_state else ()

    def with_commit(self, make: Callable[[], Query], take: Take | None = None) -> None:
        """Run the statement that `make` gives, when COMMIT is sent: before it, in its round trip and its transaction.

        `take` gets its rows once the commit has succeeded; it must not raise.
        """
        self.require_open()
        self.last.append((make, take))

    @asynccontextmanager
    async def line(self, *, after_failure: bool = False) -> AsyncGenerator[PipelineConnection]:
        """The connection, for one exchange at a time; it is kept while it is in a transaction."""
        with self.asks():
            async with self.lock:
                self.require_open()
                if self.connection is None:
                    self.connection = await self.lent()
                connection = self.connection
                if not after_failure:
                    self.require_success()
                    self.require_transaction(connection)
                try:
                    yield connection
                    self.require_transaction(connection)
                except BaseException as error:
                    ours = self.fault(error, connection)
                    if ours is None:
                        raise
                else:
                    return
                finally:
                    if not self.began:
                        self.give_back()
        raise ours from None

    def fault(self, error: BaseException, connection: PipelineConnection) -> VincError | None:
        """Our error for this one, after which the unit is lost; what broke off in the middle costs the connection."""
        self.failed = True
        self.note(error, connection)
        if connection.is_busy:
            connection.abandon()
        return told(error)

    def note(self, error: BaseException, connection: PipelineConnection) -> None:
        """Remember whether all of it may succeed when it is tried again."""
        if isinstance(error, FeatureNotSupported) and connection.forget_prepared():
            self.serialization_failed = True  # by a migration
        if isinstance(error, DeadlockDetected | SerializationFailure):
            self.serialization_failed = True

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

    async def lent(self) -> PipelineConnection:
        """A connection of the pool's, unless the session ends while this waits for it."""
        connection = await self.postgres.acquire()
        if self.ended:  # nobody would give it back
            self.postgres.release(connection)
            self.require_open()
        return connection

    def require_open(self) -> None:
        """Raise DatabaseError once the request has had its session."""
        if self.ended:
            message = "this request's session has ended: use app.session() for what comes after the answer"
            raise DatabaseError(message)

    def require_success(self) -> None:
        """Raise DatabaseError when an earlier statement has failed."""
        if self.failed:
            message = "a statement came after one that had failed: let the first error pass, or ask before you write"
            raise DatabaseError(message)

    def require_transaction(self, connection: PipelineConnection) -> None:
        """Raise DatabaseError, and close the connection, when a statement has ended the transaction."""
        if self.began and connection.pgconn.transaction_status == TransactionStatus.IDLE:
            raise self.lost(connection, ENDED)

    def lost(self, connection: PipelineConnection, why: str) -> DatabaseError:
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
        if self.ended:
            return
        if self.borrower is not None:
            await self.borrower.flush()
        taking: list[Callable[[], None]] = []
        if self.began or self.last:
            taking = await self.send_commit()
        else:
            self.require_success()
        self.serialization_failed = False
        await self.end()
        for take in taking:
            take()

    async def send_commit(self) -> list[Callable[[], None]]:
        """Send it, with what runs just before; what is to be called with the answers to that."""
        last = [self.checked(make()) for make, _ in self.last]
        async with self.line() as connection:
            if not self.began:
                await self.begin(connection)
            *answers, end = (await connection.ask([*last, COMMIT, *self.resets()]))[: len(last) + 1]
            if end.tag != b"COMMIT":  # an error of the ORM was caught, and the transaction lost
                self.failed = True
                message = "nothing was stored: an error of a statement was caught, and the request went on"
                raise DatabaseError(message)
            self.began = False
        return [partial(take, answer.rows()) for answer, (_, take) in zip(answers, self.last, strict=True) if take]

    async def rollback(self) -> None:
        """Undo it. The connection goes back with `close`, which sends the ROLLBACK: nobody needs to wait for it."""
        await self.end()

    async def close(self) -> None:
        """Give the connection back; what was not committed is undone. Calling it again does nothing."""
        try:
            await self.end()
        finally:
            self.give_back()

    def give_back(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            reset = self.leaves_session_state and (self.began or self.failed)
            self.postgres.release(connection, reset=reset, asking=self.others() if self.ended else ())

    async def end(self) -> None:
        self.ended = True
        borrower, self.borrower = self.borrower, None
        if borrower is not None and not self.others():
            await borrower.close()  # never waits: the connection is only borrowed


async def ask_first(connection: PipelineConnection, questions: Sequence[Statement]) -> list[Result]:
    """Ask what begins a transaction; once more where a migration has changed what was prepared."""
    try:
        return await connection.ask(questions)
    except FeatureNotSupported:  # "cached plan must not change result type"
        if not connection.forget_prepared():
            raise
    if connection.is_idle:
        return await connection.ask(questions)
    return (await connection.ask([ROLLBACK, *questions]))[1:]
