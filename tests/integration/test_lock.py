"""`db.lock("name")`: one transaction of a tenant at a time, until it ends."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from vinc_kernel.database.postgres import Postgres
from vinc_kernel.database.roles import Roles
from vinc_kernel.database.scope import Scope
from vinc_kernel.database.session import DatabaseSession
from vinc_kernel.database.unit import UnitOfWork
from vinc_kernel.errors import DatabaseError, DeadlineExceeded

from ..conftest import OURS, THEIRS
from .things import COUNT, Number, names, new


@asynccontextmanager
async def unit_with_lock(things: Postgres, scope: Scope, name: str = "numbers") -> AsyncGenerator[UnitOfWork]:
    unit = things.unit(scope)
    try:
        await DatabaseSession(unit).lock(name)
        yield unit
    finally:
        await unit.close()


async def is_free(things: Postgres, scope: Scope, name: str = "numbers") -> bool:
    """Whether a session in this scope gets the lock at once."""
    unit = things.unit(scope)
    db = DatabaseSession(unit)
    try:
        await db.execute(text("set local lock_timeout = 50"))
        await db.lock(name)
    except DeadlineExceeded:
        return False
    else:
        return True
    finally:
        await unit.close()


async def add_the_next(things: Postgres) -> None:
    """Count, then write: correct only when no other session does so meanwhile."""
    async with things.session(Scope(OURS)) as db:
        await db.lock("numbers")
        count = (await db.one(COUNT, Number)).number
        await asyncio.sleep(0.01)
        await db.execute(new(f"{count}"))


async def test_sessions_of_one_tenant_hold_it_one_after_another(things: Postgres) -> None:
    await asyncio.gather(*(add_the_next(things) for _ in range(8)))

    assert await names(things) == list("01234567")


async def test_it_excludes_the_same_name_of_the_same_tenant_only(things: Postgres) -> None:
    async with unit_with_lock(things, Scope(OURS)):
        assert not await is_free(things, Scope(OURS))
        assert await is_free(things, Scope(OURS), "other")
        assert await is_free(things, Scope(THEIRS))
        assert await is_free(things, Scope())


async def test_a_session_may_take_it_twice(things: Postgres) -> None:
    async with unit_with_lock(things, Scope(OURS)) as unit:
        await DatabaseSession(unit).lock("numbers")


@pytest.mark.parametrize("end", ["commit", "end", "close"])
async def test_it_is_free_again_when_the_transaction_has_ended(things: Postgres, end: str) -> None:
    async with unit_with_lock(things, Scope(OURS)) as unit:
        await getattr(unit, end)()
        await unit.close()
        await things.connections.join()

        assert await is_free(things, Scope(OURS))


async def test_it_leaves_no_session_state_that_must_be_reset(things: Postgres) -> None:
    async with unit_with_lock(things, Scope(OURS)) as unit:
        assert not unit.leaves_session_state


async def test_above_tenants_it_is_the_platforms(
    things: Postgres, things_address: str, admin: psycopg.Connection
) -> None:
    app = make_url(things_address).username
    things.roles = Roles(f"{app}_lock")
    admin.execute(f"create role {things.roles.platform}; grant {things.roles.platform} to {app}".encode())
    try:
        async with unit_with_lock(things, Scope(platform=True)):
            assert not await is_free(things, Scope(platform=True))
            assert await is_free(things, Scope(OURS))
        await things.connections.join()
    finally:
        admin.execute(f"drop role {things.roles.platform}".encode())


async def test_it_is_refused_in_a_session_that_only_reads(things: Postgres) -> None:
    async with things.session(Scope(OURS, read_only=True)) as db:
        with pytest.raises(DatabaseError, match=r"lock\('numbers'\) was refused: GET and HEAD only read.*lock in POST"):
            await db.lock("numbers")
