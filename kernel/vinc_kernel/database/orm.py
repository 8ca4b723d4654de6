"""SQLAlchemy's ORM on the connection of a unit of work: one transaction, one scope, committed by the request."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from sqlalchemy.engine import URL, Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.pool import NullPool

from ..errors import DatabaseError
from .forbidden import SEVERAL, leaves_session_state, refuse
from .pipeline import PipelineConnection

if TYPE_CHECKING:
    from .statements import Statements

NOWHERE = URL.create("postgresql+psycopg")  # the connection stands already


class Unit(Protocol):
    """What the ORM needs of a unit of work."""

    ended: bool
    leaves_session_state: bool

    async def lend(self) -> PipelineConnection:
        """The connection, in its transaction."""

    async def restart(self) -> None:
        """Undo everything so far, and go on in a new transaction."""

    def asks(self) -> AbstractContextManager[None]:
        """Remember who waits for an answer."""

    def note(self, error: BaseException, connection: PipelineConnection) -> None:
        """Remember whether all of it may succeed when it is tried again."""

    def require_open(self) -> None:
        """Raise once the request has had its session."""

    def require_transaction(self, connection: PipelineConnection) -> None:
        """Raise when a statement has ended the transaction."""

    def lost(self, connection: PipelineConnection, why: str) -> DatabaseError:
        """The error after which nothing more is asked of the connection."""


class Watched(AsyncCursor[tuple[Any, ...]]):
    """A cursor that leaves the transaction to its unit of work."""

    def __init__(self, unit: Unit, connection: PipelineConnection) -> None:
        super().__init__(connection)
        self.unit, self.line = unit, connection

    async def execute(self, query: Any, *given: Any, **more: Any) -> Watched:
        """As psycopg's, for one statement that is not refused."""
        refuse(text := str(query))
        self.unit.leaves_session_state = self.unit.leaves_session_state or leaves_session_state(text)
        with self.unit.asks():
            try:
                await super().execute(query, *given, **more)
            except psycopg.Error as error:
                self.unit.note(error, self.line)
                raise
        self.unit.require_transaction(self.line)
        if self.nextset():  # without values, psycopg sends several, and one of them may have committed
            raise self.unit.lost(self.line, SEVERAL)
        return self


class Borrowed:
    """What SQLAlchemy sees of the connection: it may use it, and neither commit nor close it."""

    def __init__(self, unit: Unit, connection: PipelineConnection) -> None:
        self.unit, self.connection = unit, connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def cursor(self, *given: Any) -> Any:
        """A cursor for one statement; only a server-side one has a name."""
        self.unit.require_open()
        return self.connection.cursor(*given) if given else Watched(self.unit, self.connection)

    async def commit(self) -> None:
        message = "a session commits with its request: take the commit() out, or use flush()"
        raise DatabaseError(message)

    async def rollback(self) -> None:
        if not self.unit.ended:
            await self.unit.restart()

    async def close(self) -> None:
        """The unit of work gives it back."""


class RequestSession(AsyncSession):
    """A session that ends with its request: closing it would undo what was written so far, and say nothing."""

    async def close(self) -> None:
        """Only the unit of work may, at its end."""
        if not self.info["unit"].ended:
            message = "a session ends with its request: take the close(), or the `async with`, out"
            raise DatabaseError(message)
        await super().close()


def orm_session(unit: Unit, statements: Statements) -> AsyncSession:
    """A session that takes the unit's connection when it needs one."""

    async def borrow() -> Borrowed:
        return Borrowed(unit, await unit.lend())

    return RequestSession(AsyncEngine(engine(statements, borrow)), expire_on_commit=False, info={"unit": unit})


def engine(statements: Statements, connect: Any) -> Engine:
    """An engine without a pool and without a state of its own; making one costs a few microseconds."""
    dialect = statements.dialect
    pool = NullPool(lambda: dialect.dbapi.connect(async_creator_fn=connect), reset_on_return=None, dialect=dialect)
    return Engine(
        pool,
        dialect,
        NOWHERE,
        hide_parameters=True,
        echo=statements.echo or None,
        execution_options={"compiled_cache": statements.compiled},  # an engine's own lives no longer than the engine
    )


async def learn_server(statements: Statements, connection: AsyncConnection) -> None:
    """Let SQLAlchemy ask the server once what it can do; a request must not."""

    async def lend() -> AsyncConnection:
        return connection

    raw = await AsyncEngine(engine(statements, lend)).connect()
    try:
        await raw.run_sync(statements.dialect.initialize)
        await raw.run_sync(statements.numbered.initialize)
    finally:
        await raw.close()
