"""Requests that are cancelled, and whose connections are killed, lose none and leave nothing of their tenant on one."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from uuid import UUID

import psycopg
import pytest
from fastapi import APIRouter
from sqlalchemy import update
from sqlalchemy.engine import make_url

from vinc_kernel import OrmSession, Session, signed_in
from vinc_kernel.database.postgres import Postgres
from vinc_kernel.database.scope import Scope
from vinc_kernel.database.session import DatabaseSession
from vinc_kernel.errors import DatabaseError, Unavailable

from ..conftest import OURS, THEIRS, database_settings
from ..credentials import credentials
from ..opening import postgres
from .bouncer import bouncer
from .things import SLEEP, TENANTS, Thing, Who, add, application, listening

TASKS, ROUNDS, CONNECTIONS = 64, 6, 4
KILL = """
select pg_terminate_backend(pid) from pg_stat_activity
where usename = %s and datname = current_database() order by random() limit 1
"""
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
        await (unit.commit() if random.random() < 0.7 else unit.end())
    finally:
        await unit.close()
    seen["done"] += 1
    return seen


def who(tenant_id: UUID, **_: object) -> Who:
    return Who(tenant_id)


async def storm(things: Postgres, work: Work, *expected: type[Exception]) -> Counter[str]:
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
            elif isinstance(result, expected):
                total["failed"] += 1
            else:
                assert isinstance(result, asyncio.CancelledError | TimeoutError), repr(result)
                total["cancelled"] += 1
    return total


async def one(things: Postgres, work: Work, number: int) -> Counter[str]:
    async with asyncio.timeout(random.choice([0.002, 0.01, 0.05, 10, 10])):
        return await work(things, OURS if number % 2 else THEIRS)


@pytest.fixture(params=["directly", "through PgBouncer"])
def address(request: pytest.FixtureRequest, things_address: str, admin: psycopg.Connection) -> Iterator[str]:
    """The database's, and that of a pooler before it which has no more connections."""
    if request.param == "directly":
        yield things_address
    else:
        with bouncer(things_address, connections=CONNECTIONS) as pooled:
            yield pooled


@pytest.fixture
async def few(address: str) -> AsyncGenerator[Postgres]:
    settings = database_settings(address, pool_size=CONNECTIONS, max_overflow=0, pool_timeout=20)
    async with postgres(settings) as things:
        await add(things, "a")
        await add(things, "b", tenant=THEIRS)
        yield things


async def whole(things: Postgres) -> bool:
    """Whether all connections can be had at once, each with a transaction of its own, and show one's own rows."""
    await things.connections.join()
    units = [things.unit(Scope(OURS)) for _ in range(CONNECTIONS)]
    async with asyncio.timeout(10):
        seen = await asyncio.gather(*(DatabaseSession(unit).all(TENANTS, Who) for unit in units))
    for unit in units:
        await unit.close()
    size = things.pool.get_stats()["pool_size"]
    return (seen, size) == ([[Who(OURS)]] * CONNECTIONS, CONNECTIONS)


async def test_cancelled_requests_lose_no_connection_and_show_no_foreign_row(
    few: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    total = await storm(few, work)

    assert await whole(few)
    assert total["foreign"] == 0
    assert total["cancelled"] > 20
    assert total["done"] > 20
    assert total["own"] > 0
    assert "rolling back returned connection" not in caplog.text


async def test_killed_backends_lose_no_connection_and_show_no_foreign_row(
    few: Postgres, things_address: str, admin: psycopg.Connection
) -> None:
    role, killed = make_url(things_address).username, 0

    async def kill() -> None:
        nonlocal killed
        while True:
            await asyncio.sleep(0.01)
            killed += len(admin.execute(KILL, [role]).fetchall())

    killing = asyncio.create_task(kill())
    total = await storm(few, work, Unavailable, DatabaseError)
    killing.cancel()
    await asyncio.wait([killing])

    assert killed > 5
    assert total["failed"] > 0
    assert total["foreign"] == 0
    assert total["own"] > 0
    assert await whole_again(few)


async def whole_again(things: Postgres) -> bool:
    """A pooler tells its clients of a killed backend when they ask next."""
    for _ in range(CONNECTIONS):
        try:
            return await whole(things)
        except Unavailable:
            continue
    return await whole(things)


async def test_the_storm_would_find_a_scope_that_outlives_its_transaction(few: Postgres) -> None:
    async def leak(things: Postgres, tenant: UUID) -> Counter[str]:
        connection = await things.connections.acquire()
        try:
            if random.random() < 0.5:
                await connection.execute("select set_config('vinc.tenant_id', %s, false)", [str(tenant)])
            await asyncio.sleep(0.001)
            answer = await connection.execute("select tenant_id from things_thing")
            return Counter("own" if found == tenant else "foreign" for (found,) in await answer.fetchall())
        finally:
            things.connections.release(connection)

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


router = APIRouter(prefix="/things")


@router.post("/{seconds}", dependencies=[signed_in])
async def work_for(seconds: float, db: Session, orm: OrmSession) -> list[UUID]:
    await db.execute(update(Thing).values(qty=1))
    await db.all(SLEEP, who, {"seconds": seconds})
    return list(await orm.scalars(TENANTS))


async def call(port: int, *, tenant: str, hang_up: bool) -> bytes:
    """What the server answers; nothing to who hangs up at a random moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    seconds = random.choice([0.001, 0.004])
    said = credentials(f"somebody;viewer;{tenant}")["Authorization"]
    head = f"POST /api/v1/things/{seconds} HTTP/1.1\r\nHost: test\r\nAuthorization: {said}\r\n"
    writer.write(f"{head}Connection: close\r\nContent-Length: 0\r\n\r\n".encode())
    if hang_up:
        await asyncio.sleep(random.random() * 0.1)
        writer.transport.abort()
        return b""
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n")[0].partition(b" ")[2] + answer.rpartition(b"\r\n")[2]


async def test_callers_that_hang_up_lose_no_connection_and_show_no_foreign_row(
    few: Postgres, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = database_settings(address, pool_size=CONNECTIONS, max_overflow=0, pool_timeout=20)
    async with application(settings, router) as app, listening(app) as port:
        answers = await asyncio.gather(
            *(call(port, tenant=("acme", "globex")[number % 2], hang_up=number % 4 < 2) for number in range(TASKS * 2))
        )
        assert await whole(app.runtime.database)

    expected = {tenant: f'200 OK["{key}"]'.encode() for tenant, key in [("acme", OURS), ("globex", THEIRS)]}
    assert Counter(answers) == {b"": TASKS, expected["acme"]: TASKS // 2, expected["globex"]: TASKS // 2}
    assert "rolling back returned connection" not in caplog.text
