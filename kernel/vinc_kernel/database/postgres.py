"""The connections to PostgreSQL, and the sessions that are made on them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from .compiler import StatementCompiler
from .pool import ConnectionPool, Pool
from .roles import Roles
from .scope import Scope
from .session import DatabaseSession
from .unit import Admit, UnitOfWork
from .unpooled_connection import Probe


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

    def unit(self, scope: Scope, admit: Admit | None = None) -> UnitOfWork:
        """Return a unit of work in this scope; the caller must close it. `admit` may refuse each statement."""
        return UnitOfWork(self, scope, admit, admits_each=True)

    @asynccontextmanager
    async def session(self, scope: Scope, admit: Admit | None = None) -> AsyncGenerator[DatabaseSession]:
        """A session of its own, committed at the end and rolled back on an error; `admit` may refuse it."""
        unit = UnitOfWork(self, scope, admit)
        try:
            yield DatabaseSession(unit)
            await unit.commit()
        finally:
            await unit.close()
