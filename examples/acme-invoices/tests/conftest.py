"""A real HTTP server as the printer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest_asyncio


@dataclass
class FakePrinter:
    """Accepts requests over HTTP and keeps their bodies."""

    url: str = ""
    printed: list[str] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        self.printed.append((await reader.readexactly(int(length.split(b":")[1]))).decode())
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


@pytest_asyncio.fixture
async def printer() -> AsyncGenerator[FakePrinter]:
    """A printer on a free port."""
    printer = FakePrinter()
    server = await asyncio.start_server(printer.answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    printer.url = f"http://{host}:{port}"
    async with server:
        yield printer
