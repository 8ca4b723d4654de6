"""Requests that are cancelled lose no connection, and leave nothing of their tenant on one."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import update

from vinc_kernel.connections.postgres import postgres
from vinc_kernel.database.pool import Postgres
from vinc_kernel.database.scope import Scope
from vinc_kernel.database.session import DatabaseSession

from ..conftest import OURS, THEIRS, database_settings
from .things import (
    SLEEP,
    TENANTS,
    Thing,
    Who,
    add,
)

TASKS, ROUNDS, CONNECTIONS = 64, 6, 4
Work = Callable[[Postgres, UUID], Awaitable[Counter[str]]]


async def work(things: Postgres, tenant: UUID) -> Counter[str]:
    """A unit of work that reads, writes, uses the ORM or sleeps, and counts what it saw of others."""
    seen: Counter[str] = Counter()
    unit = things.unit(Scope(tenant, read_only=random.random() < 0.3))
    db = DatabaseSession(unit)
    try:
        for _ in range(random.randrange(1, 4)):
            if random.random() < 0.3:
                rows = [Who(each) for each in await unit.orm().scalars(TENANTS)]
            elif random.random() < 0.5:
                rows = await db.all(SLEEP, who, {"seconds": random.choice([0.001, 0.004])})
            else:
                rows = await db.all(TENANTS, Who)
            seen["foreign"] += sum(row.tenant_id != tenant for row in rows)
            seen["own"] += sum(row.tenant_id == tenant for row in rows)
        if not unit.scope.read_only:
            await db.execute(update(Thing).values(qty=random.randrange(100)))
        await (unit.commit() if random.random() < 0.7 else unit.rollback())
    finally:
        await unit.close()
    seen["done"] += 1
    return seen


def who(tenant_id: UUID, **_: object) -> Who:
    return Who(tenant_id)


async def storm(things: Postgres, work: Work) -> Counter[str]:
    """Many tasks on few connections, cancelled at random, from inside and from outside."""
    total: Counter[str] = Counter()
    for _ in range(ROUNDS):
        tasks = [asyncio.create_task(one(things, work, number)) for number in range(TASKS)]
        await asyncio.sleep(random.random() * 0.03)
        for task in random.sample(tasks, TASKS // 4):
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Counter):
                total += result
            else:
                assert isinstance(result, asyncio.CancelledError | TimeoutError), repr(result)
                total["cancelled"] += 1
    return total


async def one(things: Postgres, work: Work, number: int) -> Counter[str]:
    async with asyncio.timeout(random.choice([0.002, 0.01, 0.05, 10, 10])):
        return await work(things, OURS if number % 2 else THEIRS)


@pytest.fixture
async def few(things_address: str, admin: psycopg.Connection) -> Any:
    settings = database_settings(things_address, pool_size=CONNECTIONS, max_overflow=0, pool_timeout=20)
    async with postgres(settings) as things:
        await add(things, "a")
        await add(things, "b", tenant=THEIRS)
        yield things


async def test_cancelled_requests_lose_no_connection_and_show_no_foreign_row(
    few: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    total = await storm(few, work)
    await few.settled()
    units = [few.unit(Scope(OURS)) for _ in range(CONNECTIONS)]
    async with asyncio.timeout(10):
        seen = await asyncio.gather(*(DatabaseSession(unit).all(TENANTS, Who) for unit in units))
    for unit in units:
        await unit.close()

    assert total["foreign"] == 0
    assert total["cancelled"] > 20
    assert total["done"] > 20
    assert total["own"] > 20
    assert seen == [[Who(OURS)]] * CONNECTIONS
    assert few.pool.get_stats()["pool_size"] == CONNECTIONS
    assert "rolling back returned connection" not in caplog.text


async def test_the_storm_would_find_a_scope_that_outlives_its_transaction(few: Postgres) -> None:
    async def leak(things: Postgres, tenant: UUID) -> Counter[str]:
        connection = await things.acquire()
        try:
            if random.random() < 0.5:
                await connection.execute("select set_config('vinc.tenant_id', %s, false)", [str(tenant)])
            await asyncio.sleep(0.001)
            answer = await connection.execute("select tenant_id from things_thing")
            return Counter("own" if found == tenant else "foreign" for (found,) in await answer.fetchall())
        finally:
            things.release(connection)

    assert (await storm(few, leak))["foreign"] > 0


async def test_a_cancelled_query_stops_on_the_server_too(things: Postgres, admin: psycopg.Connection) -> None:
    await add(things, "a")
    unit = things.unit(Scope(OURS))
    asking = asyncio.create_task(DatabaseSession(unit).all(SLEEP, Who, {"seconds": 30}))
    await asyncio.sleep(0.1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await unit.close()
    await asyncio.sleep(0.1)

    active = "select count(*) from pg_stat_activity where query like '%pg_sleep(%' and state = 'active'"
    query = active + " and pid <> pg_backend_pid() and datname = current_database()"
    assert admin.execute(query.encode()).fetchone() == (0,)
