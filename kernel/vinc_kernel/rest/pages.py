"""Keyset pages: each begins behind the last row of the one before, so that nothing is skipped or doubled by inserts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from fastapi import Request, Response
from sqlalchemy import BindParameter, Column, ColumnElement, Select, bindparam, tuple_

from ..context import context_of
from ..database.pages import Page
from ..runtime import runtime_of
from .columns import kind_of
from .cursors import Cursors

R = TypeVar("R")
KEYS, POSITION, LIMIT = ("vinc_key", "vinc_key_id"), ("vinc_after", "vinc_after_id"), "vinc_limit"
SHAPES = 1000  # of statements: one for each way in which filters and orders were put together


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """What one filter adds to a statement; the value comes by name."""

    expression: ColumnElement[bool]


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """A column and the unique id that breaks ties, or the id alone."""

    columns: tuple[Column[Any], ...]
    descending: bool

    def keys(self) -> list[Any]:
        """The columns once more: the class of the rows may leave them out."""
        return [column.label(key) for column, key in zip(self.columns, KEYS, strict=False)]

    def sorted(self) -> list[Any]:
        return [column.desc() if self.descending else column for column in self.columns]

    def behind(self) -> ColumnElement[bool]:
        """What holds for all rows that come after a position."""
        after: list[BindParameter[Any]] = [
            bindparam(name, type_=column.type) for column, name in zip(self.columns, POSITION, strict=False)
        ]
        here, there = tuple_(*self.columns), tuple_(*after)
        return here < there if self.descending else here > there


@lru_cache(SHAPES)
def narrow(statement: Select[Any], order: Order, conditions: tuple[Condition, ...], *, further: bool) -> Select[Any]:
    """The statement of one shape: made once, and SQLAlchemy compiles what is the same object only once."""
    wanted = [one.expression for one in conditions] + ([order.behind()] if further else [])
    chosen = statement.where(*wanted).order_by(None).order_by(*order.sorted())
    return chosen.limit(bindparam(LIMIT)).add_columns(*order.keys())


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What a request asks of a list; `db.page(STATEMENT, Row, query)` answers it."""

    request: Request
    response: Response
    limit: int
    cursor: str | None
    order_by: str
    order: Order
    conditions: tuple[Condition, ...]
    filters: Mapping[str, Any]

    def narrowed(self, statement: Select[Any]) -> tuple[Select[Any], Mapping[str, Any]]:
        """The statement with filters, order, beginning and limit, and their values.

        Raises BadRequest for a cursor that is not of this list.
        """
        values = {LIMIT: self.limit + 1, **{parameter(name): value for name, value in self.filters.items()}}
        if self.cursor is not None:
            kinds = [kind_of(column).python for column in self.order.columns]
            values.update(zip(POSITION, self.cursors().read(self.cursor, kinds), strict=False))
        return narrow(statement, self.order, self.conditions, further=self.cursor is not None), values

    def page(self, found: Sequence[dict[str, Any]], row: Callable[..., R]) -> Page[R]:
        """The page of what the statement has found: one row more than the limit tells that there is another."""
        keys = KEYS[: len(self.order.columns)]
        last = found[self.limit - 1] if len(found) > self.limit else None
        position = [last[key] for key in keys] if last else []
        for one in found:
            for key in keys:
                del one[key]
        items = [row(**one) for one in found[: self.limit]]
        if not position:
            return Page(items)
        address = self.address(self.cursors().write(position))
        self.response.headers["Link"] = f'<{address}>; rel="next"'  # RFC 8288
        return Page(items, address)

    def address(self, cursor: str) -> str:
        given = [(name, value) for name, value in self.request.query_params.multi_items() if name != "cursor"]
        return f"{path_of(self.request)}?{urlencode([*given, ('cursor', cursor)])}"

    def cursors(self) -> Cursors:
        context, runtime = context_of(self.request), runtime_of(self.request)
        subject = context.principal.subject if context.principal else None
        bound = (path_of(self.request), self.order_by, sorted(self.filters.items()), context.tenant_id, subject)
        return Cursors(runtime.settings.service.signing_keys, bound)


def parameter(name: str) -> str:
    """What the value of a filter is called in a statement, where the author's own values have names too."""
    return f"vinc_by_{name}"


def path_of(request: Request) -> str:
    """The path of a request as it may stand in a header: what came percent-encoded was decoded by the server."""
    return quote(request.scope["path"])
