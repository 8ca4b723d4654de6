"""The connections to PostgreSQL, and the sessions that are made on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from .compiler import StatementCompiler
from .pipeline import PipelineConnection
from .pool import ConnectionPool, Pool
from .probe import Probe
from .roles import Roles
from .scope import Scope
from .session import DatabaseSession
from .unit import UnitOfWork


@dataclass(slots=True, eq=False)
class Postgres:
    """One pool for everything that a worker does in PostgreSQL."""

    pool: Pool
    compiler: StatementCompiler
    probe: Probe
    roles: Roles = field(default_factory=Roles)
    connections: ConnectionPool = field(init=False)

    def __post_init__(self) -> None:
        self.connections = ConnectionPool(self.pool)

    def unit(self, scope: Scope) -> UnitOfWork:
        """Return a unit of work in this scope; the caller must close it."""
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
        """Raise Unavailable unless PostgreSQL answers, on a connection outside of the pool."""
        await self.probe.ping()

    async def acquire(self) -> PipelineConnection:
        """Return a connection that is alive; raises Unavailable when none is free in time."""
        return await self.connections.acquire()

    def release(
        self, connection: PipelineConnection, *, reset: bool = False, tasks: Collection[asyncio.Task[Any]] = ()
    ) -> None:
        """Take a connection back, as `ConnectionPool.release` does."""
        self.connections.release(connection, reset=reset, tasks=tasks)
