"""Check that PostgreSQL answers, on a connection of its own: a full pool makes no worker unready."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import psycopg

from ..errors import Unavailable
from .pipeline import PipelineConnection

SECONDS = 1.0


class Probe:
    """One connection, opened by the first check and kept; concurrent checks share one answer."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.parameters = parameters
        self.connection: PipelineConnection | None = None
        self.check: asyncio.Task[None] | None = None

    async def ping(self) -> None:
        """Raise Unavailable unless the server answers within a second."""
        if self.check is None or self.check.done():
            self.check = asyncio.create_task(self.run_check())
        await asyncio.shield(self.check)

    async def run_check(self) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                await self.select()
        except (psycopg.Error, OSError, TimeoutError):
            self.disconnect()
        else:
            return
        message = "PostgreSQL does not answer."
        raise Unavailable(message)

    async def select(self) -> None:
        """Run a statement; again on a new connection where the old one is lost, as the server may have restarted."""
        if self.connection is not None:
            try:
                await self.connection.execute(b"select 1")
            except psycopg.Error:
                self.disconnect()
            else:
                return
        self.connection = await PipelineConnection.connect(**self.parameters, autocommit=True)
        await self.connection.execute(b"select 1")

    def disconnect(self) -> None:
        """Close the connection without a message to the server, which may not read it."""
        if self.connection is not None:
            self.connection.pgconn.finish()
            self.connection = None

    async def close(self) -> None:
        if self.check is not None:
            await asyncio.wait([self.check])
        self.disconnect()
