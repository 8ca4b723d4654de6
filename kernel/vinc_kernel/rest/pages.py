"""Keyset pages: each begins after the last row of the one before, so that inserts skip and double nothing."""

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
from .columns import KINDS
from .cursors import Cursors

R = TypeVar("R")
KEYS, POSITION, LIMIT = ("vinc_key", "vinc_key_id"), ("vinc_after", "vinc_after_id"), "vinc_limit"
SHAPES = 1000  # statements: one for each combination of filters and order


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """A column and the unique id that breaks ties, or the id alone."""

    columns: tuple[Column[Any], ...]
    descending: bool

    def keys(self) -> list[Any]:
        """Return the columns once more: the class of the rows may not have them."""
        return [column.label(key) for column, key in zip(self.columns, KEYS, strict=False)]

    def sorted(self) -> list[Any]:
        return [column.desc() if self.descending else column for column in self.columns]

    def after(self) -> ColumnElement[bool]:
        """Return the condition for all rows after a position."""
        position: list[BindParameter[Any]] = [
            bindparam(name, type_=column.type) for column, name in zip(self.columns, POSITION, strict=False)
        ]
        columns, end = tuple_(*self.columns), tuple_(*position)
        return columns < end if self.descending else columns > end


@lru_cache(SHAPES)
def narrow(
    statement: Select[Any], order: Order, conditions: tuple[ColumnElement[bool], ...], *, further: bool
) -> Select[Any]:
    """Return the statement of one shape: SQLAlchemy compiles the same object only once."""
    where = (*conditions, order.after()) if further else conditions
    ordered = statement.where(*where).order_by(None).order_by(*order.sorted())
    return ordered.limit(bindparam(LIMIT)).add_columns(*order.keys())


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """The query of a list; `db.page(STATEMENT, Row, query)` returns its page."""

    request: Request
    response: Response
    limit: int
    cursor: str | None
    order_by: str
    order: Order
    conditions: tuple[ColumnElement[bool], ...]
    filters: Mapping[str, Any]

    def narrowed(self, statement: Select[Any]) -> tuple[Select[Any], Mapping[str, Any]]:
        """Return the statement with filters, order, position and limit, and the values; raises BadRequest."""
        values = {LIMIT: self.limit + 1, **{parameter(name): value for name, value in self.filters.items()}}
        if self.cursor is not None:
            kinds = [KINDS[type(column.type)].python for column in self.order.columns]
            values.update(zip(POSITION, self.cursors().read(self.cursor, kinds), strict=False))
        return narrow(statement, self.order, self.conditions, further=self.cursor is not None), values

    def page(self, rows: Sequence[dict[str, Any]], row: Callable[..., R]) -> Page[R]:
        """Return the page of these rows; one row more than the limit means that there is another page."""
        keys = KEYS[: len(self.order.columns)]
        last = rows[self.limit - 1] if len(rows) > self.limit else None
        position = [last[key] for key in keys] if last else []
        for one in rows:
            for key in keys:
                del one[key]
        items = [row(**one) for one in rows[: self.limit]]
        if not position:
            return Page(items)
        address = self.address(self.cursors().write(position))
        self.response.headers["Link"] = f'<{address}>; rel="next"'  # RFC 8288
        return Page(items, address)

    def address(self, cursor: str) -> str:
        query = [(name, value) for name, value in self.request.query_params.multi_items() if name != "cursor"]
        return f"{path_of(self.request)}?{urlencode([*query, ('cursor', cursor)])}"

    def cursors(self) -> Cursors:
        context, runtime = context_of(self.request), runtime_of(self.request)
        caller = (context.principal.issuer, context.principal.subject) if context.principal else None
        bound = (path_of(self.request), self.order_by, sorted(self.filters.items()), context.tenant_id, caller)
        return Cursors(runtime.settings.service.signing_keys, bound)


def parameter(name: str) -> str:
    """Return the name of a filter's value in a statement, apart from the names of the plugin's own values."""
    return f"vinc_by_{name}"


def path_of(request: Request) -> str:
    """Return the path of a request percent-encoded again, for a header: the server has decoded it."""
    return quote(request.scope["path"])
