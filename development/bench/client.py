"""A load tool for machines without wrk: sockets that are kept open, one request on each at a time.

`python -m development.bench.client PORT SECONDS CONNECTIONS FILE METHOD [HEADER ...]` prints requests, seconds, and the
milliseconds in which a half and 99 of 100 were answered.
"""

import asyncio
import re
import sys
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from time import perf_counter
from typing import cast

import uvloop

length_of = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE).search


class Line(asyncio.Protocol):
    """One connection, which asks again as soon as it is answered."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self.requests, self.received = requests, b""
        self.asked, self.waits = perf_counter(), list[float]()
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one without being of the class
        self.transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        length = length_of(head)
        if length is None or not head.startswith(b"HTTP/1.1 2"):
            self.closed.set_exception(ConnectionError(head.decode("latin-1")))
            self.transport.close()
        elif len(body) >= int(length[1]):
            now = perf_counter()
            self.waits.append(now - self.asked)
            self.received, self.asked = b"", now
            self.transport.write(next(self.requests))

    def connection_lost(self, error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_exception(error or ConnectionError("the server has closed the connection"))


async def ask(port: int, seconds: float, connections: int, requests: Iterator[bytes]) -> tuple[float, ...]:
    """Requests answered, the time it took, and two quantiles of each one's.

    Raises ConnectionError for any answer but 2xx.
    """
    loop, begun = asyncio.get_running_loop(), perf_counter()
    made = [await loop.create_connection(lambda: Line(requests), "127.0.0.1", port) for _ in range(connections)]
    lines = [line for _, line in made]
    failed, _ = await asyncio.wait([line.closed for line in lines], timeout=seconds, return_when="FIRST_COMPLETED")
    for one in failed:
        one.result()
    took = perf_counter() - begun
    for line in lines:
        line.closed.cancel()
        line.transport.abort()
    waits = sorted(wait * 1000 for line in lines for wait in line.waits)
    return len(waits), took, waits[len(waits) // 2], waits[len(waits) * 99 // 100]


def main(port: str, seconds: str, connections: str, listed: str, method: str, *headers: str) -> None:
    rest = "".join(f"{header}\r\n" for header in ("Host: 127.0.0.1", *headers))
    paths = Path(listed).read_text().split()
    requests = cycle([f"{method} {path} HTTP/1.1\r\n{rest}Content-Length: 0\r\n\r\n".encode() for path in paths])
    print(*uvloop.run(ask(int(port), float(seconds), int(connections), requests)))


if __name__ == "__main__":
    main(*sys.argv[1:])
