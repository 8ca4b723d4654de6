"""A list in a request body that may have any length: each of its values can be several errors."""

from __future__ import annotations

import pytest

from .conftest import Judge, Workshop

HEAD = """
from collections import deque
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Annotated, Any, Generic, NewType, Optional, TypeVar, Union
from fastapi import APIRouter, Body, Depends, Header, Query
from pydantic import BaseModel, Field, JsonValue, RootModel, conlist
from typing_extensions import TypeAliasType, TypedDict
from vinc_kernel import *
from vinc_kernel import Contribution, hooks
from vinc_kernel.rest import Json, RequestModel
router = APIRouter(prefix="/bad", dependencies=[public("a test asks")])
T = TypeVar("T")
Few = Annotated[list[str], Field(max_length=9)]
Renamed = NewType("Renamed", list)
Alias = TypeAliasType("Alias", list[str])
Short = TypeAliasType("Short", Annotated[list[str], Field(max_length=9)])
class Line(BaseModel):
    tags: list[str]
class Order(RequestModel):
    lines: Annotated[list[Line], Field(max_length=100)]
class Root(RootModel[list[str]]): ...
class ShortRoot(RootModel[Few]): ...
class Box(BaseModel, Generic[T]):
    inside: T
class Typed(TypedDict):
    names: list[str]
class ShortTyped(TypedDict):
    names: Few
@dataclass
class Data:
    names: list[str]
class Tree(BaseModel):
    branches: "list[Tree]" = Field([], max_length=9)
    leaves: "list[Tree]" = []
class Bounded(RequestModel):
    few: Few = []
    also: list[int] | None = Field(None, max_length=3)
    both: Annotated[Optional[list[int]], Field(max_length=3)] = None
    known: conlist(int, max_length=3) = []
    pair: tuple[int, str] | None = None
    names: dict[str, Annotated[set[int], Field(max_length=3)]] = {}
    free: Json = None
    freer: Any = None
    map: dict[str, JsonValue] = {}
class Bounder(BaseModel):
    leaves: "list[Bounder]" = Field([], max_length=9)
def inner(words: Annotated[list[str], Body()]) -> None: ...
"""
ROUTE = """
@router.post("/x")  # here
async def take(PARAMETERS): ...
@hooks.contribute
def contribute():
    return Contribution(routers=[router])
"""


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ("names: list[str]", "names"),
        ("names: Annotated[list, Body()]", "names"),
        ("names: Annotated[set[str], Body()]", "names"),
        ("names: Annotated[tuple[str, ...], Body()]", "names"),
        ("names: Annotated[Sequence[str], Body()]", "names"),
        ("names: Annotated[Set[str], Body()]", "names"),
        ("names: Annotated[Iterable[str], Body()]", "names"),
        ("names: Annotated[deque[str], Body()]", "names"),
        ("names: list[str] | None = None", "names"),
        ("names: Annotated[list[str], Field(min_length=1)]", "names"),
        ("names: Annotated[list[list[str]], Field(max_length=3)]", "names"),
        ("names: dict[str, list[str]]", "names"),
        ("names: Annotated[Renamed, Body()]", "names"),
        ("names: Annotated[Alias, Body()]", "names"),
        ("order: Order", "order.lines.tags"),
        ("order: Annotated[dict[str, Order | None], Body()]", "order.lines.tags"),
        ("few: Few, orders: Annotated[list[Order], Field(max_length=9)]", "orders.lines.tags"),
        ("root: Root", "root.root"),
        ("box: Box[list[str]]", "box.inside"),
        ("typed: Typed", "typed.names"),
        ("data: Data", "data.names"),
        ("tree: Tree", "tree.leaves"),
        ("asked: Annotated[None, Depends(inner)]", "words"),
    ],
)
def test_a_list_of_any_length_is_refused(judge: Judge, parameters: str, name: str) -> None:
    what = f"take of the route /bad/x takes a list of any length, {name}"
    cure = "write Annotated[list[...], Field(max_length=...)]"
    judge(f"bad: check: {what} ({{here}}); {cure}", HEAD + ROUTE.replace("PARAMETERS", parameters))


@pytest.mark.parametrize(
    "parameters",
    [
        "names: Few",
        "names: Annotated[list[str], Body(max_length=9)]",
        "names: list[str] = Body(max_length=9)",
        "names: Annotated[Short, Body()]",
        "names: Annotated[list[str] | None, Body(max_length=9)] = None",
        "given: Bounded",
        "given: ShortRoot",
        "given: ShortTyped",
        "given: Bounder",
        "given: Box[Few]",
        "given: dict[str, Any]",
        "given: Annotated[Json, Body()]",
        "words: Annotated[list[str], Query()], more: Annotated[list[str], Header()]",  # the address bounds them
    ],
)
def test_a_list_with_a_length_is_taken(workshop: Workshop, parameters: str) -> None:
    workshop.plugin("bad", HEAD + ROUTE.replace("PARAMETERS", parameters))

    assert [one.path for one in workshop.app().routes if one.plugin == "bad"] == ["/api/v1/bad/x"]
