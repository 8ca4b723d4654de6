"""SQLAlchemy's ORM on the connection of a unit of work: one transaction, one scope, committed by the request.

What this uses of SQLAlchemy 2.1 without a promise in its documentation: the constructor of `Engine`, the argument
`dialect` of `NullPool`, and `async_creator_fn` of the dialect's `dbapi.connect`. `create_async_engine` does the same
with them, and takes too long for each request. tests/kernel/test_private_names.py fails when one is gone, and
tests/integration/test_unit_of_work.py when one behaves differently: look then at `create_async_engine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import AsyncConnection, AsyncCursor
from sqlalchemy.engine import URL, Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.pool import NullPool

from ..errors import DatabaseError
from .failures import require_few_values
from .forbidden import SEVERAL_STATEMENTS, leaves_session_state, refusal
from .pipeline import PipelineConnection

if TYPE_CHECKING:
    from .compiler import StatementCompiler
    from .unit import UnitOfWork

NO_ADDRESS = URL.create("postgresql+psycopg")  # the connection is open already


class GuardedCursor(AsyncCursor[tuple[Any, ...]]):
    """A cursor that leaves the transaction to its unit of work."""

    def __init__(self, unit: UnitOfWork, connection: PipelineConnection) -> None:
        super().__init__(connection)
        self.unit, self.pipeline_connection = unit, connection

    async def execute(self, query: Any, *args: Any, **kwargs: Any) -> GuardedCursor:
        """As psycopg's, for one statement that a session allows."""
        text = str(query)
        if self.unit.ended and text.startswith("ROLLBACK TO SAVEPOINT"):
            return self  # it went with the transaction
        self.unit.require_open()
        if reason := refusal(text):
            raise DatabaseError(reason)
        require_few_values(len(args[0]) if args and args[0] else 0)
        self.unit.leaves_session_state = self.unit.leaves_session_state or leaves_session_state(text)
        with self.unit.tracked_task():
            await super().execute(query, *args, **kwargs)
        self.unit.require_transaction(self.pipeline_connection)
        if self.nextset():  # without values, psycopg sends several, and one of them may have committed
            raise self.unit.close_connection(self.pipeline_connection, SEVERAL_STATEMENTS)
        return self


class GuardedConnection:
    """The unit's connection as SQLAlchemy gets it: to be used, and neither committed nor closed."""

    def __init__(self, unit: UnitOfWork, connection: PipelineConnection) -> None:
        self.unit, self.connection = unit, connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def cursor(self, *args: Any) -> Any:
        """A cursor for one statement; only a server-side one has a name."""
        if args:
            self.unit.require_open()
            return self.connection.cursor(*args)
        return GuardedCursor(self.unit, self.connection)

    async def commit(self) -> None:
        raise DatabaseError("a session commits with its request: take the commit() out, or use flush()")

    async def rollback(self) -> None:
        """Roll back nothing here, but fail the unit of work."""
        self.unit.failed = self.unit.failed or not self.unit.ended

    async def close(self) -> None:
        """Do nothing: the unit of work releases the connection."""


class SyncRequestSession(Session):
    """What `RequestSession` runs. Its savepoints also cover what `db` writes before the first ORM statement.

    Whatever ends its transaction fails the unit of work: what else the request wrote would go as well, and be told as
    stored.
    """

    def begin_nested(self) -> SessionTransaction:
        nested = super().begin_nested()
        self.connection()
        return nested

    def rollback(self) -> None:
        self.fail_unit()
        super().rollback()

    def reset(self) -> None:
        self.fail_unit()
        super().reset()

    def close(self) -> None:
        self.fail_unit()
        super().close()

    def fail_unit(self) -> None:
        unit: UnitOfWork = self.info["unit"]
        unit.failed = unit.failed or not unit.ended


class RequestSession(AsyncSession):
    """A session that ends with its request: closing it earlier would undo what was written, without an error."""

    sync_session_class = SyncRequestSession

    async def close(self) -> None:
        """Raise DatabaseError before the unit of work has ended."""
        if not self.info["unit"].ended:
            raise DatabaseError("a session ends with its request: take the close(), or the `async with`, out")
        await super().close()


def orm_session(unit: UnitOfWork) -> AsyncSession:
    """Return a session that gets the unit's connection when it needs one."""

    async def connect() -> GuardedConnection:
        return GuardedConnection(unit, await unit.begun_connection())

    engine = engine_for(unit.postgres.compiler, connect)
    return RequestSession(AsyncEngine(engine), expire_on_commit=False, info={"unit": unit})


def engine_for(compiler: StatementCompiler, connect: Any) -> Engine:
    """Return an engine without a pool and without state of its own; making one costs a few microseconds."""
    dialect = compiler.dialect
    pool = NullPool(lambda: dialect.dbapi.connect(async_creator_fn=connect), reset_on_return=None, dialect=dialect)
    return Engine(
        pool,
        dialect,
        NO_ADDRESS,
        hide_parameters=True,
        echo=compiler.echo or None,
        execution_options={"compiled_cache": compiler.cache},  # an engine's own lives no longer than the engine
    )


async def initialize_dialects(compiler: StatementCompiler, connection: AsyncConnection) -> None:
    """Let SQLAlchemy ask the server for its version and defaults, once at start and not in a request."""

    async def connect() -> AsyncConnection:
        return connection

    raw = await AsyncEngine(engine_for(compiler, connect)).connect()
    try:
        await raw.run_sync(compiler.dialect.initialize)
        await raw.run_sync(compiler.numbered_dialect.initialize)
    finally:
        await raw.close()
