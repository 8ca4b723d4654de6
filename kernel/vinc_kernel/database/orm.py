"""SQLAlchemy's ORM on the connection of a unit of work: one transaction, one scope, committed by the request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy.engine import URL, Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.pool import NullPool

from ..errors import DatabaseError

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from .statements import Statements

NOWHERE = URL.create("postgresql+psycopg")  # the connection stands already


class Unit(Protocol):
    """What the ORM needs of a unit of work."""

    ended: bool

    async def lend(self) -> AsyncConnection:
        """The connection, in its transaction."""

    async def restart(self) -> None:
        """Undo everything so far, and go on in a new transaction."""


class Borrowed:
    """What SQLAlchemy sees of the connection: it may use it, and neither commit nor close it."""

    def __init__(self, unit: Unit, connection: AsyncConnection) -> None:
        self.unit, self.connection = unit, connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    async def commit(self) -> None:
        message = "a session commits with its request: take the commit() out, or use flush()"
        raise DatabaseError(message)

    async def rollback(self) -> None:
        if not self.unit.ended:
            await self.unit.restart()

    async def close(self) -> None:
        """The unit of work gives it back."""


def orm_session(unit: Unit, statements: Statements) -> AsyncSession:
    """A session that takes the unit's connection when it needs one."""

    async def borrow() -> Borrowed:
        return Borrowed(unit, await unit.lend())

    return AsyncSession(AsyncEngine(engine(statements, borrow)), expire_on_commit=False)


def engine(statements: Statements, connect: Any) -> Engine:
    """An engine without a pool and without a state of its own; making one costs a few microseconds."""
    dialect = statements.dialect
    pool = NullPool(lambda: dialect.dbapi.connect(async_creator_fn=connect), reset_on_return=None, dialect=dialect)
    return Engine(pool, dialect, NOWHERE, hide_parameters=True, echo=statements.echo or None)


async def learn_server(statements: Statements, connection: AsyncConnection) -> None:
    """Let SQLAlchemy ask the server once what it can do; a request must not."""

    async def lend() -> AsyncConnection:
        return connection

    made = AsyncEngine(engine(statements, lend))
    raw = await made.connect()
    try:
        await raw.run_sync(statements.dialect.initialize)
    finally:
        await raw.close()
