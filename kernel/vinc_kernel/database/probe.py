"""Ask PostgreSQL whether it is there, on one connection that nobody else uses: a full pool makes nobody unready."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import AsyncConnection

from ..errors import Unavailable

SECONDS = 1.0


class Probe:
    """One connection, made when it is asked for and kept; all who ask at the same time share one answer."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.parameters = parameters
        self.connection: AsyncConnection | None = None
        self.asking: asyncio.Task[None] | None = None

    async def ping(self) -> None:
        """Raise Unavailable unless the server answers within a second."""
        if self.asking is None or self.asking.done():
            self.asking = asyncio.create_task(self.ask())
        await asyncio.shield(self.asking)

    async def ask(self) -> None:
        asking = asyncio.create_task(self.answer())
        await asyncio.wait([asking], timeout=SECONDS)
        if not asking.done():
            self.drop()  # first, as psycopg would ask a silent server to cancel, and wait ten seconds for it
            asking.cancel()
        try:
            await asking
        except (psycopg.Error, OSError, asyncio.CancelledError):
            self.drop()
        else:
            return
        message = "PostgreSQL does not answer."
        raise Unavailable(message)

    async def answer(self) -> None:
        """Get an answer; once more on a new connection, as the server may have come back."""
        if self.connection is not None:
            try:
                await self.connection.execute(b"select 1")
            except psycopg.Error:
                self.drop()
            else:
                return
        self.connection = await AsyncConnection.connect(**self.parameters, autocommit=True)
        await self.connection.execute(b"select 1")

    def drop(self) -> None:
        """Close it without a word to the server, who may not listen."""
        if self.connection is not None:
            self.connection.pgconn.finish()
            self.connection = None

    async def close(self) -> None:
        if self.asking is not None:
            await asyncio.wait([self.asking])
        self.drop()
