"""Pages of lists: what a session returns, and what it needs to make one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Select

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Some rows of a list; `next` is the address of the next page, null on the last one."""

    items: list[R]
    next: str | None = None


class Paging(Protocol):
    """A position, filters and an order in a list; `vinc_kernel.rest.ListQuery` is the one of a request."""

    def narrowed(self, statement: Select[Any]) -> tuple[Select[Any], Mapping[str, Any]]:
        """Return the statement for exactly these rows, in order, and the values that it needs."""

    def page(self, rows: Sequence[dict[str, Any]], row: Callable[..., R]) -> Page[R]:
        """Return the page of the rows that this statement has returned."""
