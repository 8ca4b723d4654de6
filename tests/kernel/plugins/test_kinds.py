"""Every kind of route that a plugin may have works, and is guarded: nobody comes in who is not signed in."""

from __future__ import annotations

from typing import Any

import pytest

from ...credentials import credentials
from ..conftest import talk
from .conftest import Workshop

KINDS = """
from fastapi import APIRouter, FastAPI, WebSocket
from starlette.endpoints import HTTPEndpoint
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from vinc_kernel import Contribution, hooks, signed_in
router = APIRouter(prefix="/kinds", dependencies=[signed_in])
inner = APIRouter(prefix="/inner")
sub = FastAPI()
@router.get("/typed/{number:int}")
async def typed(number: int) -> int:
    return number
@inner.get("/nested")
async def nested() -> str:
    return "nested"
@inner.websocket("/ws")
async def inner_socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("inner socket")
    await websocket.close()
@router.websocket("/ws/{name}")
async def socket(websocket: WebSocket, name: str) -> None:
    await websocket.accept()
    await websocket.send_text(f"socket {name}")
    await websocket.close()
async def plain(request):
    return PlainTextResponse("plain " + request.path_params["name"])
async def plain_socket(websocket):
    await websocket.accept()
    await websocket.send_text("plain socket")
    await websocket.close()
class Endpoint(HTTPEndpoint):
    async def get(self, request):
        return PlainTextResponse("endpoint")
@sub.get("/deep/{name}")
async def deep(name: str) -> str:
    return f"mounted {name}"
@sub.websocket("/ws")
async def deep_socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("mounted socket")
    await websocket.close()
router.include_router(inner)
router.routes.append(Route("/kinds/plain/{name}", plain))
router.routes.append(Route("/kinds/endpoint", Endpoint))
router.routes.append(WebSocketRoute("/kinds/plain-ws", plain_socket))
router.routes.append(Mount("/kinds/app", sub))
@hooks.contribute
def contribute() -> Contribution:
    return Contribution(routers=[router])
"""
ADA = credentials("ada;viewer;")
HTTP = {
    "/kinds/typed/7": "7",
    "/kinds/inner/nested": '"nested"',
    "/kinds/plain/x": "plain x",
    "/kinds/endpoint": "endpoint",
    "/kinds/app/deep/x": '"mounted x"',
}
SOCKETS = {
    "/kinds/ws/x": "socket x",
    "/kinds/inner/ws": "inner socket",
    "/kinds/plain-ws": "plain socket",
    "/kinds/app/ws": "mounted socket",
}


async def test_every_kind_of_route_answers_who_is_signed_in_and_nobody_else(workshop: Workshop, serving: Any) -> None:
    workshop.plugin("kinds", KINDS)
    async with serving(workshop.app()) as client:
        for path, body in HTTP.items():
            answer, refused = await client.get(path, headers=ADA), await client.get(path)

            assert (path, answer.status_code, answer.text) == (path, 200, body)
            assert (path, refused.status_code, refused.json()["title"]) == (path, 401, "Nobody is signed in")
        for path in ("/kinds/app", "/kinds/app/", "/kinds/app/deep", "/kinds/nothing"):
            assert (await client.get(path, headers=ADA)).status_code == 404


@pytest.mark.parametrize(("path", "said"), SOCKETS.items())
async def test_every_kind_of_socket_answers_who_is_signed_in_and_nobody_else(
    workshop: Workshop, path: str, said: str
) -> None:
    workshop.plugin("kinds", KINDS)
    app = workshop.app()

    assert [one.get("text") for one in await talk(app, path, ADA)] == [None, said, None]
    assert [(one["type"], one["code"]) for one in await talk(app, path)] == [("websocket.close", 1008)]


@pytest.mark.parametrize("path", ["/kinds/typed/7", "/kinds/app", "/nothing"])
async def test_a_socket_where_there_is_none_is_refused(workshop: Workshop, path: str) -> None:
    workshop.plugin("kinds", KINDS)

    assert [one["type"] for one in await talk(workshop.app(), path, ADA)] == ["websocket.close"]
