"""An authorization is good for one second: a slower body, the next message and the next chunk ask again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field, replace
from time import time
from typing import Any
from uuid import UUID

import pytest
from fastapi import APIRouter, Request, WebSocket
from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from vinc_kernel import (
    Capability,
    Contribution,
    Principal,
    PrincipalDirectory,
    Tenant,
    TenantDirectory,
    authorization,
    guarded_socket,
    public,
    require_capabilities,
)
from vinc_kernel.app import Application
from vinc_kernel.errors import Unavailable

from ...credentials import credentials
from ..conftest import AppOf

ACME = Tenant(id=UUID(int=7), slug="acme", name="Acme")
MANAGE = Capability("things.manage", title="Manage", roles=["manager"])
Step = str | Callable[[], None]


@dataclass
class World:
    """Who and what there is: each part can change while a request is under way."""

    tenant: Tenant = ACME
    is_disabled: bool = False
    is_away: bool = False
    handled: list[Any] = field(default_factory=list)

    async def find(self, _: UUID | str) -> Tenant | None:
        if self.is_away:
            raise Unavailable
        return self.tenant

    async def resolve(self, principal: Principal) -> Principal | None:
        return None if self.is_disabled else principal

    def suspend(self) -> None:
        self.tenant = replace(ACME, status="suspended")

    def disable(self) -> None:
        self.is_disabled = True

    def leave_out(self) -> None:
        self.tenant = replace(ACME, disabled_plugins=frozenset({"things"}))

    def rename(self) -> None:
        self.tenant = replace(ACME, id=UUID(int=8))

    def fail(self) -> None:
        self.is_away = True

    def break_down(self) -> None:
        self.tenant = NotImplemented  # of which nothing can be read


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def app(app_of: AppOf, world: World) -> Application:
    guarded = [require_capabilities(MANAGE)]
    router, around = APIRouter(prefix="/things", dependencies=guarded), APIRouter(dependencies=guarded)

    @router.post("")
    async def take(body: dict[str, Any]) -> None:
        world.handled.append(body)

    @router.post("/stream")
    async def count() -> StreamingResponse:
        async def numbers() -> AsyncGenerator[bytes]:
            yield b"1"
            world.suspend()
            yield b"2"

        return StreamingResponse(numbers())

    @router.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            world.handled.append(text)
            await socket.send_text(text)
        world.handled.append("end")

    @router.websocket("/news")
    async def tell(socket: WebSocket) -> None:
        await socket.accept()
        while True:
            await socket.send_text("news")
            world.suspend()

    @router.websocket("/deaf")
    async def listen_to_nobody(socket: WebSocket) -> None:
        await socket.accept()
        try:
            await asyncio.Event().wait()
        finally:
            world.handled.append("stopped")

    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        world.handled.append(await Request(scope, receive).json())
        await JSONResponse({})(scope, receive, send)

    around.mount("/things/mounted", mounted)
    made = app_of(things=Contribution(routers=[router, around], capabilities=[MANAGE]), open=strangers())
    made.runtime.registry.services |= {TenantDirectory: world, PrincipalDirectory: world}
    return made


def strangers() -> Contribution:
    router = APIRouter(prefix="/open")

    @router.websocket("/socket", dependencies=[public("a test asks")])
    async def greet(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())

    return Contribution(routers=[router], provides=[TenantDirectory, PrincipalDirectory])


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An authorization is old at once."""
    monkeypatch.setattr(authorization, "SECONDS_VALID", 0)


async def call(
    app: Application, path: str, steps: Sequence[Step], *, kind: str = "http", reads: int = 99
) -> list[Message]:
    """What is sent when these parts of a body, or messages, come; a function among them changes the world."""
    sent: list[Message] = []
    waiting, is_closed = list(steps), asyncio.Event()
    scope: Scope = {
        "type": kind,
        "method": "POST",
        "path": f"/api/v1{path}",
        "query_string": b"",
        "headers": [
            (b"authorization", credentials("a;manager;acme")["Authorization"].encode()),
            (b"content-type", b"application/json"),
            (b"transfer-encoding", b"chunked"),
        ],
        "subprotocols": [],
    }
    has_connected = kind == "http"

    async def receive() -> Message:
        nonlocal has_connected
        if not has_connected:
            has_connected = True
            return {"type": "websocket.connect"}
        while waiting and not isinstance(waiting[0], str):
            waiting.pop(0)()  # type: ignore[operator]  # no text
        if not waiting:
            await is_closed.wait()
            return {"type": f"{kind}.disconnect"}
        text = waiting.pop(0)
        if kind == "http":
            return {"type": "http.request", "body": str(text).encode(), "more_body": bool(waiting)}
        return {"type": "websocket.receive", "text": text}

    async def send(message: Message) -> None:
        if len(sent) == reads:
            await asyncio.Event().wait()
        sent.append(message)
        if message["type"] == "websocket.close":
            is_closed.set()

    async with asyncio.timeout(10):
        await app(scope, receive, send)
    return sent


CHANGES = [("suspend", 403), ("disable", 401), ("leave_out", 404), ("rename", 403), ("fail", 503)]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("path", ["/things", "/things/mounted/x"])
@pytest.mark.parametrize(("change", "status"), CHANGES)
async def test_a_body_that_ends_after_a_change_is_refused_as_its_request_would_be(
    app: Application, world: World, path: str, change: str, status: int
) -> None:
    sent = await call(app, path, ['{"a":', getattr(world, change), "1}"])

    assert sent[0]["status"] == status
    assert world.handled == []


async def test_a_body_that_comes_within_the_second_is_taken(app: Application, world: World) -> None:
    sent = await call(app, "/things", ['{"a":', world.suspend, "1}"])

    assert (sent[0]["status"], world.handled) == (200, [{"a": 1}])


@pytest.mark.usefixtures("at_once")
async def test_a_stream_is_cut_with_the_authorization_and_logged_in_one_line(
    app: Application, caplog: pytest.LogCaptureFixture
) -> None:
    sent = await call(app, "/things/stream", [])

    assert [(one["type"], one.get("body"), one.get("more_body")) for one in sent] == [
        ("http.response.start", None, None),
        ("http.response.body", b"1", True),
    ]
    (line,) = caplog.records
    assert (line.levelname, line.exc_info) == ("WARNING", None)
    assert "response cut short: Nobody can work in this tenant" in line.getMessage()


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("change", "status"), CHANGES)
async def test_a_message_after_a_change_closes_the_socket(
    app: Application, world: World, change: str, status: int
) -> None:
    sent = await call(app, "/things/echo", ["a", getattr(world, change), "b"], kind="websocket")

    code = 1013 if status == 503 else 1008
    assert [(one["type"], one.get("text", one.get("code"))) for one in sent] == [
        ("websocket.accept", None),
        ("websocket.send", "a"),
        ("websocket.close", code),
    ]
    assert world.handled == ["a", "end"]


@pytest.mark.usefixtures("at_once")
async def test_what_a_socket_tells_after_a_change_is_not_sent(app: Application) -> None:
    sent = await call(app, "/things/news", [], kind="websocket")

    assert [one["type"] for one in sent] == ["websocket.accept", "websocket.send", "websocket.close"]


async def test_an_idle_socket_is_closed_a_second_later(app: Application, world: World) -> None:
    sent = await call(app, "/things/echo", ["a", world.suspend], kind="websocket")

    assert sent[-1] == {"type": "websocket.close", "code": 1008, "reason": "The tenant is suspended"}
    assert world.handled == ["a", "end"]


async def test_a_handler_that_does_not_notice_is_stopped(
    app: Application, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_socket, "SECONDS_TO_END", 0.1)
    asyncio.get_running_loop().call_later(0.1, world.suspend)
    sent = await call(app, "/things/deaf", [], kind="websocket")

    assert [one["type"] for one in sent] == ["websocket.accept", "websocket.close"]
    assert world.handled == ["stopped"]


async def test_a_handler_whose_client_does_not_read_is_stopped(
    app: Application, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_socket, "SECONDS_TO_END", 0.1)
    sent = await call(app, "/things/news", [], kind="websocket", reads=2)

    assert [one["type"] for one in sent] == ["websocket.accept", "websocket.send"]


async def test_a_socket_is_closed_where_a_directory_breaks_down(app: Application, world: World) -> None:
    sent = await call(app, "/things/echo", ["a", world.break_down], kind="websocket")

    assert (sent[-1]["type"], sent[-1]["code"]) == ("websocket.close", 1008)


async def test_a_socket_is_closed_when_its_token_expires(app: Application, world: World) -> None:
    now = [time()]
    object.__setattr__(app.runtime, "clock", lambda: now[0])  # frozen
    sent = await call(app, "/things/echo", ["a", lambda: now.append(now.pop() + 3600)], kind="websocket")

    assert (sent[-1]["type"], sent[-1]["code"]) == ("websocket.close", 1008)


@pytest.mark.usefixtures("at_once")
async def test_a_public_socket_stays_open(app: Application) -> None:
    sent = await call(app, "/open/socket", ["a"], kind="websocket")

    assert [one["type"] for one in sent] == ["websocket.accept", "websocket.send"]
