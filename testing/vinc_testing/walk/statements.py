"""Log the SQL statements that an application sends to PostgreSQL: a proxy on loopback that reads each message.

A proxy and not a hook of a driver, so that no statement escapes it, whichever library sends it. The protocol is
PostgreSQL's 3.0: each message is a letter, its length, and its content.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy.engine import make_url

CHUNK = 65536
PROTOCOL = 3  # major version in the first message of a connection; requests for TLS or to cancel have others
# What resets a connection, or checks it, may come at any time.
MAINTENANCE = re.compile(r"\s*(rollback|reset|discard|deallocate|select pg_backend_pid)\b", re.IGNORECASE).match
UNKNOWN = "(an unknown statement)"


@dataclass(slots=True, eq=False)
class MessageReader:
    """Reads what one connection sends to the server."""

    statements: list[str]
    buffer: bytearray = field(default_factory=bytearray)
    is_started: bool = False
    prepared: dict[bytes, str] = field(default_factory=dict)
    portals: dict[bytes, str] = field(default_factory=dict)

    def feed(self, data: bytes) -> None:
        """Read the next bytes, wherever they are cut."""
        self.buffer += data
        while True:
            begin = 1 if self.is_started else 0
            if len(self.buffer) < begin + 4:
                return
            end = begin + int.from_bytes(self.buffer[begin : begin + 4], "big")
            if len(self.buffer) < end:
                return
            kind, content = bytes(self.buffer[:begin]), bytes(self.buffer[begin + 4 : end])
            del self.buffer[:end]
            if self.is_started:
                self.on_message(kind, content)
            else:
                self.is_started = int.from_bytes(content[:2], "big") == PROTOCOL

    def on_message(self, kind: bytes, content: bytes) -> None:
        first, _, rest = content.partition(b"\0")
        second = rest.partition(b"\0")[0]
        if kind == b"Q":  # a simple query
            self.log(first.decode("utf-8", "replace"))
        elif kind == b"P":  # parse: name, statement
            self.prepared[first] = second.decode("utf-8", "replace")
        elif kind == b"B":  # bind: portal, name
            self.portals[first] = self.prepared.get(second, UNKNOWN)
        elif kind == b"E":  # execute: portal
            self.log(self.portals.get(first, UNKNOWN))

    def log(self, statement: str) -> None:
        if not MAINTENANCE(statement):
            self.statements.append(statement)


@dataclass(slots=True, eq=False)
class StatementLog:
    """`url` leads to the server through the proxy; `statements` grows by each statement that goes there."""

    url: str
    statements: list[str] = field(default_factory=list)


@asynccontextmanager
async def log_statements(url: str) -> AsyncGenerator[StatementLog]:
    """Run the proxy on loopback for the duration of the block; the server must accept connections without TLS."""
    parsed = make_url(url)
    log = StatementLog(url)
    writers: set[asyncio.StreamWriter] = set()
    idle = asyncio.Event()
    idle.set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        idle.clear()
        server_reader, server_writer = await connect(str(parsed.query.get("host") or parsed.host), parsed.port or 5432)
        to_server = forward(reader, server_writer, MessageReader(log.statements).feed)
        await asyncio.gather(to_server, forward(server_reader, writer, lambda _: None), return_exceptions=True)
        writers.discard(writer)
        if not writers:
            idle.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxied = parsed.set(host="127.0.0.1", port=port, query={"sslmode": "disable", "gssencmode": "disable"})
    log.url = proxied.render_as_string(hide_password=False)
    async with server:
        yield log
        for writer in writers:
            writer.transport.abort()  # of connections that are still open; both sides end then
        await idle.wait()


async def connect(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the server's port, or to its socket where `host` is a directory."""
    if host.startswith("/"):
        return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
    return await asyncio.open_connection(host, port)


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, on_data: Callable[[bytes], None]) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            on_data(data)
            writer.write(data)
            await writer.drain()
    writer.close()
