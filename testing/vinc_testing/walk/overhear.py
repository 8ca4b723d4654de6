"""Overhear what an application asks PostgreSQL: a line to the server that writes down each statement.

On the wire and not in the application, so that it holds for whatever sends statements there, and by whatever way. The
protocol is PostgreSQL's 3.0: each message is a letter, its length, and its content.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy.engine import make_url

PIECE = 65536
PROTOCOL = 3  # major version in the first message of a line; requests for TLS or to cancel have others
# What brings a connection into its first state, or back, may come at any time.
TIDYING = re.compile(r"\s*(rollback|reset|discard|deallocate|select pg_backend_pid)\b", re.IGNORECASE).match
UNCLAIMED = "(an unknown statement)"


@dataclass(slots=True, eq=False)
class Ear:
    """Follows what one line sends to the server."""

    said: list[str]
    buffer: bytearray = field(default_factory=bytearray)
    greeted: bool = False
    statements: dict[bytes, str] = field(default_factory=dict)
    portals: dict[bytes, str] = field(default_factory=dict)

    def feed(self, data: bytes) -> None:
        """Take the next bytes, wherever they are cut."""
        self.buffer += data
        while True:
            begin = 1 if self.greeted else 0
            if len(self.buffer) < begin + 4:
                return
            end = begin + int.from_bytes(self.buffer[begin : begin + 4], "big")
            if len(self.buffer) < end:
                return
            kind, content = bytes(self.buffer[:begin]), bytes(self.buffer[begin + 4 : end])
            del self.buffer[:end]
            if self.greeted:
                self.hear(kind, content)
            else:
                self.greeted = int.from_bytes(content[:2], "big") == PROTOCOL

    def hear(self, kind: bytes, content: bytes) -> None:
        first, _, rest = content.partition(b"\0")
        second = rest.partition(b"\0")[0]
        if kind == b"Q":  # a simple query
            self.note(first.decode("utf-8", "replace"))
        elif kind == b"P":  # parse: name, statement
            self.statements[first] = second.decode("utf-8", "replace")
        elif kind == b"B":  # bind: portal, name
            self.portals[first] = self.statements.get(second, UNCLAIMED)
        elif kind == b"E":  # execute: portal
            self.note(self.portals.get(first, UNCLAIMED))

    def note(self, statement: str) -> None:
        if not TIDYING(statement):
            self.said.append(statement)


@dataclass(slots=True, eq=False)
class Overheard:
    """`address` is the server's by way of here; `said` grows by each statement that goes there."""

    address: str
    said: list[str] = field(default_factory=list)


@asynccontextmanager
async def overhear(address: str) -> AsyncGenerator[Overheard]:
    """Listen on loopback for as long as this is entered; the server must take connections without TLS."""
    url = make_url(address)
    overheard = Overheard(address)
    writers: set[asyncio.StreamWriter] = set()
    idle = asyncio.Event()
    idle.set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        idle.clear()
        far_reader, far_writer = await connect(str(url.query.get("host") or url.host), url.port or 5432)
        ear = Ear(overheard.said)
        there, back = pass_on(reader, far_writer, ear.feed), pass_on(far_reader, writer, lambda _: None)
        await asyncio.gather(there, back, return_exceptions=True)
        writers.discard(writer)
        if not writers:
            idle.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    here = url.set(host="127.0.0.1", port=port, query={"sslmode": "disable", "gssencmode": "disable"})
    overheard.address = here.render_as_string(hide_password=False)
    async with server:
        yield overheard
        for writer in writers:
            writer.transport.abort()  # whoever still has a line; the ends of both sides follow
        await idle.wait()


async def connect(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To a server's port, or, where `host` is a directory, to its socket there."""
    if host.startswith("/"):
        return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
    return await asyncio.open_connection(host, port)


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hear: Callable[[bytes], None]) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(PIECE):
            hear(data)
            writer.write(data)
            await writer.drain()
    writer.close()
