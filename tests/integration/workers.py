"""Two workers of one application that cache the quantities of things, for the tests of changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

import psycopg
from pydantic import SecretStr
from sqlalchemy import bindparam, select, update

from vinc_kernel import Cache
from vinc_kernel.app import create_app
from vinc_kernel.database.scope import Scope
from vinc_kernel.database.session import DatabaseSession
from vinc_kernel.lifespan import connections
from vinc_kernel.runtime import Runtime
from vinc_kernel.settings import KernelSettings, RedisSettings, ServiceSettings

from ..conftest import OURS, database_settings
from .things import Thing

QTY = select(Thing.qty).where(Thing.name == bindparam("wanted"))
SET = update(Thing).where(Thing.name == bindparam("wanted")).values(qty=bindparam("quantity"))
CHANGES = """
create table if not exists vinc_change (topic text primary key, number bigint not null default 0);
truncate vinc_change;
grant select, insert, update on vinc_change to public;
"""
# Longer than any change may take to be known everywhere, with time to spare for a slow machine.
SECONDS = 1.8


@dataclass(frozen=True)
class Quantity:
    qty: int


@dataclass(slots=True, eq=False)
class Worker:
    """One worker: its runtime, its cache of quantities by name, and the names that it has loaded."""

    runtime: Runtime
    cached: Cache[str, int] = field(init=False)
    loaded: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cached = self.runtime.caches.create("things.quantity", self.load, 10_000)

    async def load(self, name: str) -> int | None:
        self.loaded.append(name)
        async with self.runtime.database.session(Scope(OURS, read_only=True)) as db:
            found = await db.one_or_none(QTY, Quantity, {"wanted": name})
        return found.qty if found else None

    async def change(self, name: str, quantity: int) -> None:
        """Store another quantity, and make every worker forget the old one."""
        async with self.runtime.database.session(Scope(OURS)) as db:
            await self.set(db, name, quantity)

    async def set(self, db: DatabaseSession, name: str, quantity: int) -> None:
        await db.execute(SET, {"wanted": name, "quantity": quantity})
        self.cached.invalidate(db, name)

    async def loads(self, *names: str) -> list[str]:
        """Ask for these, and tell which of them were not kept."""
        self.loaded.clear()
        for name in names:
            await self.cached.get(name)
        return self.loaded[:]

    async def sees(self, name: str, quantity: int) -> float:
        """How many seconds it takes until it sees this quantity."""
        began = monotonic()
        while await self.cached.get(name) != quantity and monotonic() - began < 10:  # noqa: ASYNC110  the point
            await asyncio.sleep(0.01)
        return monotonic() - began

    @property
    def is_current(self) -> bool:
        return self.runtime.caches.is_current

    async def stays_current(self, seconds: float) -> None:
        """Raise AssertionError when the versions cannot be read in the meantime."""
        deadline = monotonic() + seconds
        while monotonic() < deadline:
            await asyncio.sleep(0.02)
            assert self.is_current

    async def until(self, happened: Callable[[], bool]) -> None:
        deadline = monotonic() + 10
        while not happened() and monotonic() < deadline:  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0.02)
        assert happened()


def prepare_changes(admin: psycopg.Connection) -> None:
    """Make the kernel's table of versions, and empty it."""
    admin.execute(CHANGES)


@asynccontextmanager
async def worker(address: str, redis: str = "", direct: str = "") -> AsyncGenerator[Worker]:
    """Yield a worker with everything that the kernel opens for it."""
    url = SecretStr(redis) if redis else None
    settings = KernelSettings(
        service=ServiceSettings(env="test"),
        database=database_settings(address, pool_timeout=2, direct_url=SecretStr(direct) if direct else None),
        redis=RedisSettings.model_validate({"url": url, "socket_timeout": 0.4}),
    )
    runtime = create_app(settings, plugins=[]).runtime
    async with connections(runtime):
        yield Worker(runtime)
