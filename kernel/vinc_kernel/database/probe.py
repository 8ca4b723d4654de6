"""Ask PostgreSQL whether it answers, on a connection of its own: a full pool makes nobody unready."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import psycopg

from ..errors import Unavailable
from .unpooled_connection import UnpooledConnection

SECONDS_TO_ANSWER = 1.0


class Probe:
    """The readiness probe of PostgreSQL; all who ask at the same time share one answer."""

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
            message = "PostgreSQL does not answer."
            raise Unavailable(message) from None

    async def close(self) -> None:
        if self.pinging is not None:
            await asyncio.wait([self.pinging])
        self.connection.close()
