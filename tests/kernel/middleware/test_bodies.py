"""A body is bounded whoever reads it: in bytes, in values, in the time to wait for it, and in what is told about it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from time import sleep
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Request
from httpx import AsyncClient, Response
from pydantic import Field
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import Message, Receive, Scope, Send

from vinc_kernel import Contribution, public
from vinc_kernel.rest import RequestModel
from vinc_kernel.strict_request import bound_body

from ..conftest import AppOf, client_of

SMALLEST = 1024
JSON = {"Content-Type": "application/json"}
EVERY_READER = ["/large/json", "/large/raw", "/large/plain", "/large/mount/inside", "/large/starlette/x"]


class Row(RequestModel):
    one: int
    two: int
    three: int


async def count(request: Request) -> JSONResponse:
    return JSONResponse(len(await request.body()))


async def raw_app(scope: Scope, receive: Receive, send: Send) -> None:
    await (await count(Request(scope, receive)))(scope, receive, send)


def large(**more: Any) -> Contribution:
    router = APIRouter(prefix="/large", dependencies=[public("a test")], **more)

    @router.post("/json")
    async def json(given: dict[str, Any]) -> int:
        return len(given)

    @router.post("/rows")
    async def rows(given: Annotated[list[Row], Field(max_length=5000)]) -> int:
        return len(given)

    @router.post("/many", max_body_size=2_000_000)
    async def many(given: dict[str, Any]) -> int:
        return sum(map(len, given.values()))

    router.post("/raw")(count)
    router.routes.append(Route("/large/plain", count, methods=["POST"]))
    router.routes.append(Mount("/large/mount", raw_app, name="mount"))
    router.routes.append(Mount("/large/starlette", Starlette(routes=[Route("/x", count, methods=["POST"])])))
    return Contribution(routers=[router])


@pytest.fixture
def small(app_of: AppOf) -> AsyncClient:
    return client_of(app_of({"VINC_MAX_BODY_SIZE": str(SMALLEST)}, large=large()))


def padded(size: int) -> bytes:
    """A JSON text of this many bytes."""
    return b'{"a": "%s"}' % (b"a" * (size - 9))


async def post_json(api: AsyncClient, path: str, body: bytes | AsyncGenerator[bytes]) -> Response:
    return await api.post(path, content=body, headers=JSON)


async def pieces(body: bytes, size: int) -> AsyncGenerator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize("path", EVERY_READER)
async def test_every_reader_gets_as_many_bytes_as_are_allowed(small: AsyncClient, path: str) -> None:
    fits, above = padded(SMALLEST), padded(SMALLEST + 1)
    taken = await post_json(small, path, fits)
    refused = [await post_json(small, path, above), await post_json(small, path, pieces(above, 100))]

    assert taken.status_code == 200, taken.text
    assert [one.status_code for one in refused] == [413, 413]
    if "starlette" not in path:  # a mounted Starlette answers by itself
        assert {one.json()["type"] for one in refused} == {"urn:vinc:problem:content-too-large"}
        assert refused[0].json()["detail"] == f"The body may have {SMALLEST} bytes at most."
        assert refused[0].headers["connection"] == "close"


async def test_a_router_says_how_much_its_mounts_and_plain_routes_take(app_of: AppOf) -> None:
    api = client_of(app_of({"VINC_MAX_BODY_SIZE": str(SMALLEST)}, large=large(max_body_size=2000)))
    for path in EVERY_READER:
        assert (await post_json(api, path, padded(2000))).status_code == 200, path
        assert (await post_json(api, path, padded(2001))).status_code == 413, path


async def test_an_endless_body_is_read_up_to_the_limit(small: AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal sent
        while True:
            sent += 100
            yield b"a" * 100

    assert (await small.post("/large/raw", content=endless())).status_code == 413
    assert sent <= SMALLEST + 200


@pytest.mark.parametrize("path", EVERY_READER)
async def test_a_body_that_does_not_arrive_is_408(app_of: AppOf, path: str) -> None:
    app = app_of({"VINC_BODY_TIMEOUT": "0.05"}, large=large())
    sent: list[Message] = []
    asked = 0

    async def receive() -> Message:
        nonlocal asked
        asked += 1
        if asked > 1:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": padded(100)[:50], "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": f"/api/v1{path}", "query_string": b""}
    headers = [(b"content-type", b"application/json"), (b"content-length", b"100")]
    await app(scope | {"headers": headers}, receive, send)

    assert sent[0]["status"] == 408
    if "starlette" not in path:
        assert b"urn:vinc:problem:request-timeout" in sent[1]["body"]
        assert (b"connection", b"close") in sent[0]["headers"]


def body_of(*messages: Message) -> Receive:
    """Messages that are there at once; then nothing comes any more."""
    waiting = list(messages)

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    return receive


async def test_the_time_that_a_handler_needs_does_not_count() -> None:
    part: Message = {"type": "http.request", "body": b"a", "more_body": True}
    receive = bound_body(body_of(part, part, part), 100, 0.01)
    for _ in range(3):
        assert await receive() == part
        sleep(0.02)  # noqa: ASYNC251  the loop does not run, as behind a handler that computes


async def test_nobody_waits_too_long_for_a_client_that_stays() -> None:
    receive = bound_body(body_of({"type": "http.request", "body": b"a"}), 100, 0.01)
    await receive()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(receive(), 0.05)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" + b",".join([b'{"one":1,"two":2,"three":3}'] * 2000) + b"]", 200),
        (b"[" + b",".join([b'{"one":1,"two":2,"three":3}'] * 3000) + b"]", 422),
        (b"[" + b",".join([b"{}"] * 300_000) + b"]", 422),
    ],
)
async def test_a_body_has_a_bounded_number_of_values(app_of: AppOf, body: bytes, status: int) -> None:
    answer = await post_json(client_of(app_of(large=large())), "/large/rows", body)

    assert answer.status_code == status
    if status == 422:
        assert [one["message"] for one in answer.json()["errors"]] == [
            "is no strict JSON: it has more than 10000 values"
        ]


async def test_commas_and_brackets_in_texts_are_no_values(app_of: AppOf) -> None:
    text = rb"\"[,{\\" * 30_000

    assert (await post_json(client_of(app_of(large=large())), "/large/json", b'{"a":"%s"}' % text)).status_code == 200


async def test_a_route_that_takes_more_bytes_takes_more_values(app_of: AppOf) -> None:
    api = client_of(app_of(large=large()))
    body = b'{"a": [%s]}'

    taken = await post_json(api, "/large/many", body % b",".join([b"1"] * 19_000))
    refused = await post_json(api, "/large/many", body % b",".join([b"1"] * 20_001))

    assert (taken.status_code, taken.json()) == (200, 19_000)
    assert refused.json()["errors"][0]["message"] == "is no strict JSON: it has more than 20000 values"


async def test_at_most_100_errors_are_told(app_of: AppOf) -> None:
    answer = await post_json(client_of(app_of(large=large())), "/large/rows", b"[" + b"{}," * 200 + b"{}]")

    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 100
    assert answer.json()["errors"][0] == {
        "in": "body", "pointer": "/0/one", "code": "missing", "message": "is required",
    }  # fmt: skip


async def test_of_more_errors_than_anybody_reads_none_is_built(app_of: AppOf) -> None:
    answer = await post_json(client_of(app_of(large=large())), "/large/rows", b"[" + b"{}," * 2000 + b"{}]")

    assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [("", "too_many_errors")]
