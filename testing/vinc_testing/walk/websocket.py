"""The handshake of a WebSocket.

The messages after it are not walked: the route's guards say who may connect, and its session sees one tenant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vinc_kernel.app import Application

SECONDS = 5


async def connect_websocket(app: Application, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the application's first message without its headers, and disconnect."""
    answered: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    ended = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not answered.done() and not ended.is_set():
            ended.set()
            return {"type": "websocket.connect"}
        await asyncio.wait({answered})
        return {"type": "websocket.disconnect", "code": 1001}

    async def send(message: Any) -> None:
        if not answered.done():
            answered.set_result({key: value for key, value in message.items() if key != "headers"})

    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
        "subprotocols": [],
        "state": {},
    }
    served = asyncio.create_task(app(scope, receive, send))
    async with asyncio.timeout(SECONDS):
        await asyncio.wait([asyncio.ensure_future(answered), served], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(served, return_exceptions=True)
    return answered.result() if answered.done() else {"type": "(no response)"}
