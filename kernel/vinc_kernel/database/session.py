"""The database as a handler and its repository see it: Core statements in, rows in classes of theirs out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Select
from sqlalchemy.sql import Executable

from ..errors import VincError
from .failures import told
from .pages import Page, Paging
from .pipeline import Result
from .unit import UnitOfWork

if TYPE_CHECKING:
    from .statements import Query, Values

R = TypeVar("R")


class NotOneRow(VincError, LookupError):
    """A statement gave no row, or several, where one was wanted."""


@dataclass(frozen=True, slots=True)
class DatabaseSession:
    """What a handler and its repository get: SQLAlchemy Core statements in, rows in a class of yours out.

    `row` is any class that takes the columns as keywords; `values` are for the statement's `bindparam`s.
    """

    unit: UnitOfWork

    async def all(self, statement: Executable, row: Callable[..., R], values: Values | None = None) -> list[R]:
        """Every row."""
        (rows,) = await self.batch((statement, row, values))
        return rows

    async def one(self, statement: Executable, row: Callable[..., R], values: Values | None = None) -> R:
        """The only row; raises NotOneRow for none or several: use `one_or_none` where there may be none."""
        rows = await self.all(statement, row, values)
        if len(rows) != 1:
            message = f"one() wants one row and got {len(rows)}: use one_or_none() or all(), or correct the statement"
            raise NotOneRow(message)
        return rows[0]

    async def one_or_none(self, statement: Executable, row: Callable[..., R], values: Values | None = None) -> R | None:
        """The only row, or None; raises NotOneRow for several."""
        rows = await self.all(statement, row, values)
        if len(rows) > 1:
            message = f"one_or_none() wants at most one row and got {len(rows)}: use all(), or correct the statement"
            raise NotOneRow(message)
        return rows[0] if rows else None

    async def page(
        self, statement: Select[Any], row: Callable[..., R], query: Paging, values: Values | None = None
    ) -> Page[R]:
        """One page of the rows, as the caller asks for it; an order and a limit of the statement's own do not count."""
        narrowed, more = query.narrowed(statement)
        return query.page(await self.all(narrowed, dict, {**(values or {}), **more}), row)

    async def execute(self, statement: Executable, values: Values | None = None) -> int:
        """How many rows it touched."""
        (answer,) = await self.unit.run([self.query(statement, values)])
        return answer.touched

    async def lift_time_limits(self) -> None:
        """Let this transaction take as long as it must: for an operator's command, never for a request."""
        await self.unit.lift_time_limits()

    async def batch(self, *asked: tuple[Executable, Callable[..., Any], Mapping[str, Any] | None]) -> list[list[Any]]:
        """The rows of several statements, `(statement, row, values)` each, in one round trip and in this order."""
        queries = [self.query(statement, values) for statement, _, values in asked]
        answers = await self.unit.run(queries)
        return [
            self.rows(query, answer, row) for query, answer, (_, row, _) in zip(queries, answers, asked, strict=True)
        ]

    def query(self, statement: Executable, values: Values | None) -> Query:
        try:
            return self.unit.postgres.statements.query(statement, values)
        except Exception as error:
            ours = told(error)
            if ours is None:
                raise
        raise ours from None

    def rows(self, query: Query, answer: Result, row: Callable[..., R]) -> list[R]:
        names = answer.names
        return [row(**dict(zip(names, each, strict=True))) for each in self.tuples(query, answer)]

    def tuples(self, query: Query, answer: Result) -> list[tuple[Any, ...]]:
        """The rows as tuples of what their SQLAlchemy types make of them, in the order of `answer.names`."""
        try:
            found = answer.rows()
            converters = self.unit.postgres.statements.columns(query.shape, answer.types)
            if converters:
                found = [
                    tuple(convert(value) if convert else value for convert, value in zip(converters, each, strict=True))
                    for each in found
                ]
        except Exception as error:  # a value that Python has no room for
            ours = told(error)
            if ours is None:
                raise
        else:
            return found
        raise ours from None
