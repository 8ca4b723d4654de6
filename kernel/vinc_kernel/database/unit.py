"""What one request does in the database: one connection, one transaction, bound to one tenant.

The scope is set by a statement of its own between BEGIN and the first statement, all in one round trip, and ends with
the transaction. In a read-only scope each round trip is an implicit transaction without BEGIN and COMMIT, and the
connection is released after it. Session state that a statement may have left (`SET`, advisory locks) is reset in the
round trip of COMMIT or ROLLBACK: nothing of a tenant outlives its transaction on a pooled connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg.errors import FeatureNotSupported
from psycopg.pq import TransactionStatus

from ..errors import DatabaseError
from .failures import require_few_values, to_problem
from .forbidden import TRANSACTION_ENDED
from .orm import orm_session
from .pipeline import PipelineConnection, Result, Statement, is_outdated_plan
from .pool import RESET, ROLLBACK
from .scope import Scope

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from .compiler import BoundStatement
    from .postgres import Postgres

BEGIN, COMMIT = Statement(b"begin"), Statement(b"commit")
TENANT = "set_config('vinc.tenant_id', $1, true)"
READ_ONLY = f"select {TENANT}, set_config('transaction_read_only', 'on', true)"
READ_WRITE = f"select {TENANT}, set_config('vinc.actor_id', $2, true)"
# In each transaction, as a function may have set the connection's role for longer than its own.
SET_ROLE = "set_config('role', {}, true)"  # what `set local role` does
# Not every version of PostgreSQL has each of them.
NO_TIME_LIMITS = Statement(b"""
select set_config(name, '0', true) from pg_settings
where name in ('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout')
""")
Admit = Callable[[], Awaitable[object]]
AfterCommit = Callable[[Sequence[tuple[Any, ...]]], None]


@dataclass(slots=True, eq=False)
class UnitOfWork:
    """All statements of one request: they are stored together or not at all.

    The connection is acquired with the first statement.
    """

    postgres: Postgres
    scope: Scope
    admit: Admit | None = None
    """Awaited before the connection is acquired; raises to refuse."""
    admits_each: bool = False
    """Whether `admit` is also awaited before each statement and COMMIT."""
    connection: PipelineConnection | None = None
    began: bool = False
    failed: bool = False
    ended: bool = False
    leaves_session_state: bool = False
    """Whether something that a statement did may outlive the transaction."""
    session: AsyncSession | None = None
    at_commit: list[tuple[Callable[[], BoundStatement], AfterCommit | None]] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)
    """For others to keep something as long as this unit, like SQLAlchemy's `Session.info`."""
    tasks: set[asyncio.Task[Any] | None] = field(default_factory=set)
    """The tasks that wait for the connection or for a result."""
    mutex: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, statements: Sequence[BoundStatement]) -> list[Result]:
        """Run these in one round trip; raises a Problem or DatabaseError."""
        allowed = [self.allowed_statement(statement) for statement in statements]
        async with self.exchange() as connection:
            if self.began:
                return await connection.send(allowed)
            if self.scope.read_only and not self.leaves_session_state:
                return (await send_first(connection, [self.scope_statement(), *allowed]))[1:]
            return (await self.begin(connection, allowed))[2:]

    def allowed_statement(self, statement: BoundStatement) -> Statement:
        """The statement to send; raises DatabaseError for one that a session refuses."""
        compiled = statement.compiled
        if compiled.refusal:
            raise DatabaseError(compiled.refusal)
        require_few_values(len(statement.statement.values))
        self.leaves_session_state = self.leaves_session_state or compiled.leaves_session_state
        return statement.statement

    async def begin(self, connection: PipelineConnection, statements: Sequence[Statement] = ()) -> list[Result]:
        self.began = True
        return await send_first(connection, [BEGIN, self.scope_statement(), *statements])

    def scope_statement(self) -> Statement:
        """The statement that binds the transaction to its scope."""
        scope = self.scope
        sql, values, role = READ_WRITE, [str(scope.tenant or ""), str(scope.actor or "")], "'none'"
        if scope.read_only:
            sql, values = READ_ONLY, values[:1]
        if scope.platform:
            values.append(self.postgres.roles.platform)
            role = f"${len(values)}"
        return Statement(f"{sql}, {SET_ROLE.format(role)}".encode(), values)

    async def begun_connection(self) -> PipelineConnection:
        """The connection, in its transaction; for SQLAlchemy's ORM."""
        async with self.exchange() as connection:
            if not self.began:
                await self.begin(connection)
            return connection

    async def lift_time_limits(self) -> None:
        """Let this transaction take as long as it needs."""
        async with self.exchange() as connection:
            connection.response_timeout = None
            if not self.began:
                await self.begin(connection)
            await connection.send([NO_TIME_LIMITS])

    def resets(self) -> Sequence[Statement]:
        """What is sent with the end of the transaction."""
        return RESET if self.leaves_session_state else ()

    def with_commit(self, make: Callable[[], BoundStatement], after_commit: AfterCommit | None = None) -> None:
        """Run the statement that `make` returns in the round trip of COMMIT, just before it.

        `after_commit` gets its rows once the commit has succeeded; it must not raise.
        """
        self.require_open()
        self.at_commit.append((make, after_commit))

    @asynccontextmanager
    async def exchange(self) -> AsyncGenerator[PipelineConnection]:
        """The connection, for one exchange at a time; it is kept while it is in a transaction."""
        with self.tracked_task():
            async with self.mutex:
                self.require_open()
                if self.connection is None:
                    if self.admit is not None:
                        await self.admit()
                    connection = await self.postgres.connections.acquire()
                    if self.ended:  # meanwhile; nobody would release it
                        self.postgres.connections.release(connection)
                        self.require_open()
                    self.connection = connection
                connection = self.connection
                self.require_success()
                self.require_transaction(connection)
                try:
                    if self.admits_each and self.admit is not None:
                        await self.admit()
                    yield connection
                    self.require_transaction(connection)
                except BaseException as error:
                    self.failed = True
                    if connection.is_busy and not self.other_tasks():  # with a result that nobody will read
                        connection.abandon()
                    problem = to_problem(error)
                    if problem is None:
                        raise
                else:
                    return
                finally:
                    if not self.began:
                        self.release()
        raise problem from None

    @contextmanager
    def tracked_task(self) -> Generator[None]:
        """Track the current task: a handler may fail and leave another task of its own waiting for a result."""
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            yield
        finally:
            self.tasks.discard(task)

    def other_tasks(self) -> list[asyncio.Task[Any]]:
        return [task for task in self.tasks if task is not None and task is not asyncio.current_task()]

    def require_open(self) -> None:
        """Raise DatabaseError once the unit has ended."""
        if self.ended:
            raise DatabaseError("this request's session has ended: use app.session() for what comes after the answer")

    def require_success(self) -> None:
        """Raise DatabaseError when an earlier statement has failed, or a session was rolled back."""
        if self.failed:
            what = "a statement came after one that had failed, or after a rollback()"
            raise DatabaseError(f"{what}: let the first error pass, ask before you write, or use begin_nested()")

    def require_transaction(self, connection: PipelineConnection) -> None:
        """Raise DatabaseError, and close the connection, when a statement has ended the transaction."""
        if self.began and connection.pgconn.transaction_status == TransactionStatus.IDLE:
            raise self.close_connection(connection, TRANSACTION_ENDED)

    def close_connection(self, connection: PipelineConnection, reason: str) -> DatabaseError:
        """Close the connection, so that nothing more is sent on it; returns the error to raise."""
        self.failed = True
        connection.pgconn.finish()
        return DatabaseError(reason)

    def orm(self) -> AsyncSession:
        """SQLAlchemy's session on this connection and in this transaction; one for the whole request."""
        if self.session is None:
            self.session = orm_session(self)
        return self.session

    async def commit(self) -> None:
        """Commit; raises when the database refuses, and when a statement has failed and its error was caught."""
        if self.ended:
            return
        if self.session is not None:
            await self.session.flush()
            if self.session.in_nested_transaction():
                raise DatabaseError("a savepoint is still open: write `async with orm.begin_nested():`")
        callbacks: list[Callable[[], None]] = []
        if self.began or self.at_commit:
            callbacks = await self.send_commit()
        else:
            self.require_success()
        await self.end()
        for callback in callbacks:
            callback()

    async def send_commit(self) -> list[Callable[[], None]]:
        """Send COMMIT after the statements of `with_commit`; returns the calls that are due after it."""
        before = [self.allowed_statement(make()) for make, _ in self.at_commit]
        async with self.exchange() as connection:
            if not self.began:
                await self.begin(connection)
            *results, end = (await connection.send([*before, COMMIT, *self.resets()]))[: len(before) + 1]
            if end.tag != b"COMMIT":  # the transaction had failed, in the ORM, and the error was caught
                self.failed = True
                raise DatabaseError("nothing was stored: an error of a statement was caught, and the request went on")
            self.began = False
        return [
            partial(after_commit, result.rows())
            for result, (_, after_commit) in zip(results, self.at_commit, strict=True)
            if after_commit
        ]

    async def close(self) -> None:
        """Release the connection, and roll back what was not committed. Does nothing when called again."""
        try:
            await self.end()
        finally:
            self.release()

    def release(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            reset = self.leaves_session_state and (self.began or self.failed)
            tasks = self.other_tasks() if self.ended else ()
            self.postgres.connections.release(connection, reset=reset, tasks=tasks)

    async def end(self) -> None:
        """End without a commit. `close` releases the connection, and ROLLBACK is sent then: nobody waits for it."""
        self.ended, self.admit = True, None  # which refers to the request, and that to this unit
        session, self.session = self.session, None
        if session is not None and not self.other_tasks():
            await session.close()  # never waits: the connection is not the session's


async def send_first(connection: PipelineConnection, statements: Sequence[Statement]) -> list[Result]:
    """Send what begins a transaction; once more where a migration has changed a prepared statement's columns."""
    try:
        return await connection.send(statements)
    except FeatureNotSupported as error:
        if not is_outdated_plan(error):
            raise
    if connection.is_idle:
        return await connection.send(statements)
    return (await connection.send([ROLLBACK, *statements]))[1:]
