"""A line to a real server that a test can slow down, silence and cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy.engine import make_url

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True, eq=False)
class Proxy:
    """Listens on loopback and passes bytes on, both ways.

    `delay` holds each answer back, in seconds; `silent` swallows everything and keeps the line open; `refuse` hangs up
    on new lines. Once an answer has the bytes `fatal` in it, `spared` bytes of it are passed on, and then it hangs up.
    `trips` counts how often a caller said something after it had got an answer.
    """

    connect: Callable[[], Awaitable[Streams]]
    port: int = 0
    delay: float = 0
    silent: bool = False
    refuse: bool = False
    fatal: bytes = b""
    spared: int = 0
    trips: int = 0
    answered: bool = True
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> None:
        """Hang up on both ends of every line."""
        for writer in self.writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuse:
            writer.transport.abort()
            return
        far_reader, far_writer = await self.connect()
        self.writers |= {writer, far_writer}
        try:
            await asyncio.gather(self.pass_on(reader, far_writer, 0), self.pass_on(far_reader, writer, 1))
        finally:
            self.writers -= {writer, far_writer}
            writer.close()
            far_writer.close()

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, slow: int) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if self.silent:
                    continue
                self.trips += self.answered and not slow
                self.answered = bool(slow)
                await asyncio.sleep(self.delay * slow)
                if slow and self.fatal and self.fatal in data:
                    writer.write(data[: self.spared])
                    break
                writer.write(data)
                await writer.drain()
            if not self.silent:
                writer.close()


@asynccontextmanager
async def proxy(connect: Callable[[], Awaitable[Streams]]) -> AsyncGenerator[Proxy]:
    """Yield a proxy that makes its lines to the server with `connect`."""
    made = Proxy(connect)
    lines: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(made.serve(reader, writer))
        lines.add(task)
        task.add_done_callback(lines.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.cut()
        for line in [*lines]:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)


@asynccontextmanager
async def proxy_to_socket(path: str) -> AsyncGenerator[Proxy]:
    """Yield a proxy to a server that listens on a Unix socket."""
    async with proxy(lambda: asyncio.open_unix_connection(path)) as made:
        yield made


@asynccontextmanager
async def proxy_to_postgres(address: str) -> AsyncGenerator[tuple[Proxy, str]]:
    """Yield a proxy to the server at this address, and the address through it."""
    url = make_url(address)
    async with proxy_to_socket(f"{url.query['host']}/.s.PGSQL.{url.port or 5432}") as made:
        through = url.set(host="127.0.0.1", port=made.port, query={})
        yield made, through.render_as_string(hide_password=False)
