"""A connection outside the pool, for what must not wait for the pool: the readiness probe, the poll of versions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import psycopg

from ..errors import Unavailable
from .pipeline import PipelineConnection

SECONDS_TO_ANSWER = 1.0


class UnpooledConnection:
    """A connection that is opened when it is first used and reopened when it was lost; for one query at a time."""

    def __init__(self, parameters: Mapping[str, Any], timeout: float) -> None:
        self.parameters, self.timeout = parameters, timeout
        self.connection: PipelineConnection | None = None

    async def fetch_all(self, query: bytes) -> list[tuple[Any, ...]]:
        """Return the rows of a query; raises psycopg.Error, or TimeoutError after `timeout` seconds."""
        try:
            async with asyncio.timeout(self.timeout):
                connection = await self.open()
                cursor = await connection.execute(query)
                return await cursor.fetchall()
        except BaseException:
            self.close()  # a late answer would be read as that of the next query
            raise

    async def open(self) -> PipelineConnection:
        if self.connection is None or not self.connection.is_alive():
            self.close()
            self.connection = await PipelineConnection.connect(
                **self.parameters, autocommit=True, prepare_threshold=None
            )
        return self.connection

    def close(self) -> None:
        """Close it at once.

        Nothing waits for its socket any more: PipelineConnection stops waiting before it lets an error or a
        cancellation through. libuv aborts a process that waits for a closed socket.
        """
        if self.connection is not None:
            self.connection.pgconn.finish()
            self.connection = None


class Probe:
    """Asks PostgreSQL whether it answers; all who ask at the same time share one answer."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.connection = UnpooledConnection(parameters, SECONDS_TO_ANSWER)
        self.pinging: asyncio.Task[None] | None = None

    async def ping(self) -> None:
        """Raise Unavailable unless the server answers within a second."""
        if self.pinging is None or self.pinging.done():
            self.pinging = asyncio.create_task(self.query())
        await asyncio.shield(self.pinging)

    async def query(self) -> None:
        try:
            await self.connection.fetch_all(b"select 1")
        except (psycopg.Error, OSError):  # TimeoutError is an OSError
            raise Unavailable("PostgreSQL does not answer.") from None

    async def close(self) -> None:
        if self.pinging is not None:
            await asyncio.wait([self.pinging])
        self.connection.close()
