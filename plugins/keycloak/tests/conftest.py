"""Settings of this plugin, and servers in place of Keycloak."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from ssl import SSLContext

from vinc_keycloak.settings import KeycloakSettings
from vinc_testing import plugin_settings

GIVEN = {
    "VINC_KEYCLOAK_SERVER_URL": "https://login.example",
    "VINC_KEYCLOAK_ADMIN_USERNAME": "root",
    "VINC_KEYCLOAK_ADMIN_PASSWORD": "canary-of-a-password",
}
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def settings(**more: str) -> KeycloakSettings:
    """Return the plugin's settings as the kernel reads them; an empty one is not set."""
    return plugin_settings("keycloak", KeycloakSettings, {**GIVEN, **more})


@asynccontextmanager
async def server(answer: Answer, ssl: SSLContext | None = None) -> AsyncGenerator[str]:
    """Run a server that handles each connection so, and return its URL."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=ssl)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if ssl else 'http'}://127.0.0.1:{port}"
    finally:
        listening.close()


def answering(*answers: tuple[int, str]) -> Answer:
    """Return a handler with one response after the other, repeating the last; all have the content type of JSON."""
    left = list(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
            await reader.readexactly(int(length.partition(b":")[2]))
            status, body = left.pop(0) if len(left) > 1 else left[0]
            response = (
                f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            )
            writer.write(response.encode())
            await writer.drain()

    async def until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except asyncio.IncompleteReadError:
            return

    return until_closed
