"""Pages of lists: what a session gives back, and what it must be told to make one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Select

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Some rows of a list; `next` is the address of the page behind them, null on the last one."""

    items: list[R]
    next: str | None = None


class Paging(Protocol):
    """What is wanted of a list; `vinc_kernel.rest.ListQuery` is one that a request asks for."""

    def narrowed(self, statement: Select[Any]) -> tuple[Select[Any], Mapping[str, Any]]:
        """The statement for these rows and no others, in order, and the values that it needs."""

    def page(self, found: Sequence[dict[str, Any]], row: Callable[..., R]) -> Page[R]:
        """The page of what that statement has found."""
