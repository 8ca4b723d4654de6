"""Who sends twice as much before a guard makes at most twice as much work: counted, not timed.

Counted are the lines that run, wherever they are, and the characters that are copied out of a path or a header: a slice
is one line, however long it is.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Self

import pytest
from fastapi import APIRouter, Body
from pydantic import Field
from starlette.types import Message, Scope

from vinc_kernel import Contribution, public, signed_in
from vinc_kernel.middleware.problems import to_faults
from vinc_kernel.rest import RequestModel
from vinc_kernel.routing import Index

from ...credentials import credentials
from ..conftest import AppOf

ALLOWANCE = 1.05  # of what is written once a size, as one more digit
VIEWER = credentials("alice;viewer;acme")["Authorization"].encode()


class Counter:
    """Counts lines, and characters copied out of its texts."""

    def __init__(self) -> None:
        self.work = 0

    def trace(self, _frame: Any, event: str, _arg: Any) -> Any:
        self.work += event == "line"
        return self.trace

    def of(self, call: Callable[[], object]) -> int:
        self.work, before = 0, sys.gettrace()
        sys.settrace(self.trace)
        try:
            call()
        finally:
            sys.settrace(before)
        return self.work


class CountedText(str):
    """A text that counts what is copied out of it."""

    __slots__ = ("counter",)

    def __new__(cls, text: str, counter: Counter) -> Self:
        self = super().__new__(cls, text)
        self.counter = counter
        return self

    def __getitem__(self, key: Any) -> str:
        part = super().__getitem__(key)
        self.counter.work += len(part)
        return part


class Row(RequestModel):
    one: int
    two: int


def things() -> Contribution:
    router, everybody = APIRouter(prefix="/things"), [public("a test")]

    @router.post("/rows", dependencies=everybody)
    async def rows(given: Annotated[list[Row], Field(max_length=5000)]) -> None: ...

    @router.post("/row", dependencies=everybody)
    async def row(one: Annotated[int, Body()], two: Annotated[int, Body()], words: Annotated[str, Body()]) -> None: ...

    @router.get("/{name}/of/{rest:path}", dependencies=everybody)
    async def read(name: str, rest: str, tag: int = 1) -> None: ...

    @router.get("/mine", dependencies=[signed_in])
    async def mine() -> None: ...

    return Contribution(routers=[router])


SENT: dict[str, Callable[[int], dict[str, Any]]] = {
    "path": lambda size: {"path": "/things/a/of/" + "a" * size},
    "path of nothing": lambda size: {"path": "/" + "a" * size},
    "segments": lambda size: {"path": "/things/a/of" + "/a" * (size // 20)},
    "segments of nothing": lambda size: {"path": "/things" + "/" * (size // 20)},
    "query": lambda size: {"path": "/things/a/of/x", "query": b"a=" + b"x" * size * 8},
    "escapes": lambda size: {"path": "/things/a/of/x", "query": b"a=" + b"%41" * size},
    "parameters": lambda size: {"path": "/things/a/of/x", "query": b"&".join(b"a%d=1" % n for n in range(size // 4))},
    "one parameter again and again": lambda size: {
        "path": "/things/a/of/x",
        "query": b"&".join([b"tag=1"] * (size // 4)),
    },
    "headers": lambda size: {"path": "/things/a/of/x", "headers": [(b"x-%d" % n, b"1") for n in range(size)]},
    "one header again and again": lambda size: {"path": "/things/a/of/x", "headers": [(b"x", b"1")] * size},
    "a long header": lambda size: {"path": "/things/mine", "headers": [(b"x-request-id", b"a" * size * 8)]},
    "encodings": lambda size: {"path": "/things/mine", "headers": [(b"accept-encoding", b"gzip  ;" * size * 2)]},
    "origin": lambda size: {
        "path": "/things/mine",
        "method": "OPTIONS",
        "headers": [
            (b"origin", b"https://app.example"),
            (b"access-control-request-method", b"GET"),
            (b"access-control-request-headers", b"x-a, " * size),
        ],
    },
    "token": lambda size: {"path": "/things/mine", "headers": [(b"authorization", b"Bearer " + b"a" * size * 3)]},
    "token of parts": lambda size: {"path": "/things/mine", "headers": [(b"authorization", b"Bearer " + b"a." * size)]},
    "spaces": lambda size: {"path": "/things/mine", "headers": [(b"authorization", b"Bearer" + b" " * size * 8)]},
    "no token": lambda size: {"path": "/things/mine", "headers": [(b"authorization", VIEWER + b"a" * size)]},
    "fields": lambda size: {"path": "/things/row", "body": {f"f{n}": n for n in range(size * 4)}},
    "text": lambda size: {"path": "/things/row", "body": {"words": "a,[" * size * 10}},
    "values": lambda size: {"path": "/things/row", "body": {"words": [1] * size * 4}},
    "too many values": lambda size: {"path": "/things/row", "body": {"words": [[]] * size * 60}},
    "rows": lambda size: {"path": "/things/rows", "body": [{}] * (size * 2)},
    "wrong rows": lambda size: {"path": "/things/rows", "body": [{"one": "word", "two": []}] * size},
    "depth": lambda size: {"path": "/things/row", "body_text": b"[" * size + b"]" * size},
}


@pytest.fixture
def ask(app_of: AppOf) -> Callable[[Mapping[str, Any], Counter], int]:
    app = app_of({"VINC_CORS_ORIGINS": "https://app.example"}, things=things())

    def run(sent: Mapping[str, Any], counter: Counter) -> int:
        body = sent.get("body_text") or (json.dumps(sent["body"]).encode() if "body" in sent else b"")
        headers = [*sent.get("headers", []), *([(b"content-type", b"application/json")] if body else [])]
        scope: Scope = {
            "type": "http",
            "method": sent.get("method", "POST" if body else "GET"),
            "path": CountedText("/api/v1" + sent["path"], counter),
            "query_string": sent.get("query", b""),
            "headers": [*headers, (b"content-length", b"%d" % len(body))],
        }
        answers: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body}

        async def send(message: Message) -> None:
            answers.append(message)

        asyncio.run(app(scope, receive, send))
        return int(answers[0]["status"])

    return run


@pytest.mark.parametrize("kind", SENT)
def test_twice_the_input_is_at_most_twice_the_work(ask: Callable[[Mapping[str, Any], Counter], int], kind: str) -> None:
    counter = Counter()
    once, twice = SENT[kind](500), SENT[kind](1000)
    for sent in (once, twice, once):  # what is done the first time is cached
        ask(sent, counter)

    small, large = (counter.of(lambda sent=sent: ask(sent, counter)) for sent in (once, twice))  # type: ignore[misc]

    assert large <= 2 * small * ALLOWANCE


def test_the_counter_sees_what_one_line_copies() -> None:
    """As `find` was once: it sliced the whole path for each of its segments."""
    counter = Counter()

    def prefixes(path: str) -> Iterator[str]:
        end = len(path)
        while end >= 0:
            yield path[:end]
            end = path.rfind("/", 0, end)

    small, large = (counter.of(lambda n=n: list(prefixes(CountedText("/" * n, counter)))) for n in (500, 1000))  # type: ignore[misc]

    assert large > 3 * small


def test_an_input_is_searched_once_however_many_errors_have_it() -> None:
    counter = Counter()

    def errors(size: int) -> list[dict[str, Any]]:
        body = {"words": ["word"] * size}
        return [{"type": "missing", "loc": ("body", n), "msg": "Field required", "input": body} for n in range(size)]

    small, large = (counter.of(lambda n=n: list(to_faults(errors(n)))) for n in (25, 50))  # type: ignore[misc]

    assert large <= 2 * small * ALLOWANCE


def test_no_more_of_a_path_is_looked_up_than_the_longest_literal_has() -> None:
    counter, index = Counter(), Index([])
    works = [counter.of(lambda n=n: index.find(CountedText("/" * n, counter), "GET")) for n in (10, 10_000)]  # type: ignore[misc]

    assert works[0] == works[1]
