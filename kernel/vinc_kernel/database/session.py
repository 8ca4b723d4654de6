"""The database as a handler and its repository see it: SQLAlchemy Core statements in, rows in classes of theirs out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Select, text
from sqlalchemy.sql import Executable

from ..errors import DatabaseError, VincError
from .failures import call
from .pages import Page, Paging
from .pipeline import Result
from .unit import UnitOfWork

if TYPE_CHECKING:
    from .compiler import BoundStatement, Values

R = TypeVar("R")
LOCK = text("select pg_advisory_xact_lock(hashtextextended(:name, hashtextextended(:tenant, 0)))")


class NotOneRow(VincError, LookupError):
    """A statement returned no row, or several, where one was expected."""


@dataclass(frozen=True, slots=True)
class DatabaseSession:
    """What a handler and its repository get: SQLAlchemy Core statements in, rows in a class of yours out.

    `row` is any class that takes the columns as keywords; `values` are for the statement's `bindparam`s.
    """

    unit: UnitOfWork

    async def all(self, statement: Executable, row: Callable[..., R], values: Values | None = None) -> list[R]:
        """Return every row."""
        (rows,) = await self.batch((statement, row, values))
        return rows

    async def one(self, statement: Executable, row: Callable[..., R], values: Values | None = None) -> R:
        """Return the only row; raises NotOneRow for none or several: use `one_or_none` where there may be none."""
        rows = await self.all(statement, row, values)
        if len(rows) != 1:
            message = f"one() wants one row and got {len(rows)}: use one_or_none() or all(), or correct the statement"
            raise NotOneRow(message)
        return rows[0]

    async def one_or_none(self, statement: Executable, row: Callable[..., R], values: Values | None = None) -> R | None:
        """Return the only row, or None; raises NotOneRow for several."""
        rows = await self.all(statement, row, values)
        if len(rows) > 1:
            message = f"one_or_none() wants at most one row and got {len(rows)}: use all(), or correct the statement"
            raise NotOneRow(message)
        return rows[0] if rows else None

    async def page(
        self, statement: Select[Any], row: Callable[..., R], query: Paging, values: Values | None = None
    ) -> Page[R]:
        """Return one page of the rows, as `query` says; order and limit of the statement itself are replaced."""
        narrowed, more = query.narrowed(statement)
        return query.page(await self.all(narrowed, dict, {**(values or {}), **more}), row)

    async def execute(self, statement: Executable, values: Values | None = None) -> int:
        """Run a statement and return the number of rows that it returned or changed."""
        (result,) = await self.unit.run([self.compile(statement, values)])
        return result.rowcount

    async def lock(self, name: str) -> None:
        """Wait for the tenant's lock of this name, and hold it until the transaction ends.

        In a session above all tenants it is the platform's lock. Raises DeadlineExceeded after PostgreSQL's
        `lock_timeout`, and DatabaseError in a session that only reads.
        """
        scope = self.unit.scope
        if scope.read_only:
            reason = "GET and HEAD only read, and each of their statements is a transaction of its own"
            raise DatabaseError(f"lock({name!r}) was refused: {reason}: lock in POST, PUT, PATCH or DELETE")
        await self.execute(LOCK, {"name": name, "tenant": str(scope.tenant or "")})

    async def lift_time_limits(self) -> None:
        """Let this transaction take as long as it needs: for an operator's command, never for a request."""
        await self.unit.lift_time_limits()

    async def batch(self, *queries: tuple[Executable, Callable[..., Any], Mapping[str, Any] | None]) -> list[list[Any]]:
        """Return the rows of several statements, `(statement, row, values)` each, run in order in one round trip."""
        statements = [self.compile(statement, values) for statement, _, values in queries]
        results = await self.unit.run(statements)
        return [
            self.rows(statement, result, row)
            for statement, result, (_, row, _) in zip(statements, results, queries, strict=True)
        ]

    def compile(self, statement: Executable, values: Values | None) -> BoundStatement:
        """Return the statement with its values, ready to be sent."""
        return call(self.unit.postgres.compiler.bind, statement, values)

    def rows(self, statement: BoundStatement, result: Result, row: Callable[..., R]) -> list[R]:
        names = result.names
        return [row(**dict(zip(names, each, strict=True))) for each in call(self.tuples, statement, result)]

    def tuples(self, statement: BoundStatement, result: Result) -> list[tuple[Any, ...]]:
        """Return the rows with the values that their SQLAlchemy types make of them."""
        tuples = result.rows()
        converters = self.unit.postgres.compiler.columns(statement.compiled, result.types)
        if not converters:
            return tuples
        return [
            tuple(convert(value) if convert else value for convert, value in zip(converters, each, strict=True))
            for each in tuples
        ]
