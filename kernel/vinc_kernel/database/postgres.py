"""The connections to PostgreSQL, and the sessions that are made on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from .pipeline import PipelineConnection
from .pool import ConnectionPool, Pool
from .probe import Probe
from .roles import Roles
from .scope import Scope
from .session import DatabaseSession
from .statements import Statements
from .unit import UnitOfWork


@dataclass(slots=True, eq=False)
class Postgres:
    """One pool for everything that a worker asks of PostgreSQL."""

    pool: Pool
    statements: Statements
    probe: Probe
    roles: Roles = field(default_factory=Roles)
    connections: ConnectionPool = field(init=False)

    def __post_init__(self) -> None:
        self.connections = ConnectionPool(self.pool)

    def unit(self, scope: Scope) -> UnitOfWork:
        """A unit of work in this scope; whoever asks for it must close it."""
        return UnitOfWork(self, scope)

    @asynccontextmanager
    async def session(self, scope: Scope) -> AsyncGenerator[DatabaseSession]:
        """A session of its own, committed at the end and rolled back on an error."""
        unit = self.unit(scope)
        try:
            yield DatabaseSession(unit)
            await unit.commit()
        finally:
            await unit.close()

    async def ping(self) -> None:
        """Raise unless PostgreSQL answers, on a connection that is not the pool's."""
        await self.probe.ping()

    async def acquire(self) -> PipelineConnection:
        """A connection that stands; raises Unavailable when none is free in time."""
        return await self.connections.acquire()

    def release(
        self, connection: PipelineConnection, *, reset: bool = False, asking: Collection[asyncio.Task[Any]] = ()
    ) -> None:
        """Take it back, as `ConnectionPool.release` does."""
        self.connections.release(connection, reset=reset, asking=asking)

    async def settled(self) -> None:
        """Wait until everything that was given back has arrived."""
        await self.connections.settled()
