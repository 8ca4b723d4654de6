"""The session: rows in classes, values of every type, one tenant, all or nothing, no value in an answer or a log."""

import asyncio
import enum
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import reduce
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from pydantic import BaseModel
from sqlalchemy import Enum, Numeric, bindparam, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.sql import Executable
from sqlalchemy.types import BigInteger, DateTime

from vinc_kernel.connections.postgres import postgres
from vinc_kernel.database.pool import Postgres
from vinc_kernel.database.session import DatabaseSession, NotOneRow
from vinc_kernel.errors import Conflict, DatabaseError, DeadlineExceeded, Forbidden, Problem, Unavailable, Unprocessable

from ..conftest import OURS, THEIRS, database_settings

CANARY = "c4n4ry"


class Mood(enum.Enum):
    glad = "glad"
    sad = "sad"


class Tables(DeclarativeBase):
    """Tables of these tests only."""


class Thing(Tables):
    __tablename__ = "things_thing"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    tenant_id: Mapped[UUID]
    name: Mapped[str]
    qty: Mapped[int | None] = mapped_column(default=7, onupdate=8)
    big: Mapped[int | None] = mapped_column(BigInteger)
    price: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    mood: Mapped[Mood | None] = mapped_column(Enum(Mood, name="things_mood", create_type=False))
    data: Mapped[Any | None] = mapped_column(JSONB)
    made: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Part(Tables):
    __tablename__ = "things_part"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    tenant_id: Mapped[UUID]
    thing_id: Mapped[UUID]


@dataclass(frozen=True)
class Row:
    id: UUID
    tenant_id: UUID
    name: str
    qty: int | None
    big: int | None
    price: Decimal | None
    mood: Mood | None
    data: Any
    made: datetime | None


@dataclass(frozen=True)
class Name:
    name: str


@dataclass(frozen=True)
class Number:
    number: int


@dataclass(frozen=True)
class Who:
    tenant_id: UUID


class NameModel(BaseModel):
    name: str


ALL = select(Thing).order_by(Thing.name, Thing.id)
NAMES = select(Thing.name).order_by(Thing.name)
NAMED = select(Thing).where(Thing.name == bindparam("name"))
TENANTS = select(Thing.tenant_id).distinct()
COUNT = select(func.count().label("number")).select_from(Thing)
ADD = insert(Thing).returning(Thing)
SLEEP = select(func.pg_sleep(bindparam("seconds")), Thing.tenant_id).limit(1)


def new(name: str, tenant: UUID = OURS, **more: object) -> Executable:
    return insert(Thing).values(name=name, tenant_id=tenant, **more).returning(Thing)


async def add(things: Postgres, *names: str, tenant: UUID = OURS) -> None:
    async with things.session(tenant) as db:
        await db.execute(insert(Thing).values([{"name": name, "tenant_id": tenant} for name in names]))


async def names(things: Postgres, tenant: UUID = OURS) -> list[str]:
    async with things.session(tenant) as db:
        return [row.name for row in await db.all(NAMES, Name)]


# ---------------------------------------------------------------- rows and values


async def test_a_row_of_every_type_comes_back_as_it_was_stored(things: Postgres) -> None:
    stored = {
        "id": uuid4(), "tenant_id": OURS, "name": "nälle 100% %(x)s :y", "qty": 2**31 - 1, "big": 2**63 - 1,
        "price": Decimal("12.50"), "mood": Mood.sad, "data": {"a": [1, None, "ü"]},
        "made": datetime(2026, 2, 28, 23, 59, tzinfo=UTC),
    }  # fmt: skip
    async with things.session(OURS) as db:
        returned = await db.one(insert(Thing).values(**stored).returning(Thing), Row)
        found = await db.one(NAMED, Row, {"name": stored["name"]})

    assert returned == found == Row(**stored)


async def test_values_may_come_beside_a_constant_statement(things: Postgres) -> None:
    async with things.session(OURS) as db:
        row = await db.one(ADD, Row, {"name": "a", "tenant_id": OURS, "price": Decimal(1)})

    assert (row.name, row.qty, row.price) == ("a", 7, Decimal("1.00"))


async def test_defaults_of_python_and_of_the_server_are_applied(things: Postgres) -> None:
    async with things.session(OURS) as db:
        rows = await db.all(insert(Thing).values([{"name": n, "tenant_id": OURS} for n in "ab"]).returning(Thing), Row)
        await db.execute(update(Thing).where(Thing.name == "a").values(name="c"))
        changed = await db.one(NAMED, Row, {"name": "c"})

    assert len({row.id for row in rows}) == 2
    assert {row.qty for row in rows} == {7}
    assert all(row.made for row in rows)
    assert changed.qty == 8


async def test_rows_go_into_a_pydantic_model_as_well(things: Postgres) -> None:
    await add(things, "a")
    async with things.session(OURS) as db:
        assert await db.all(NAMES, NameModel) == [NameModel(name="a")]


@pytest.mark.parametrize(("wanted", "found"), [([], []), (["a"], ["a"]), (["a", "c", "x"], ["a", "c"])])
async def test_in_takes_a_list_of_any_length(things: Postgres, wanted: list[str], found: list[str]) -> None:
    await add(things, "a", "b", "c")
    built = NAMES.where(Thing.name.in_(wanted))
    constant = NAMES.where(Thing.name.in_(bindparam("wanted", expanding=True)))
    async with things.session(OURS) as db:
        assert [row.name for row in await db.all(built, Name)] == found
        assert [row.name for row in await db.all(constant, Name, {"wanted": wanted})] == found


async def test_in_converts_each_of_its_values(things: Postgres) -> None:
    async with things.session(OURS) as db:
        await db.execute(new("a", mood=Mood.glad))
        await db.execute(new("b", mood=Mood.sad))
        found = await db.all(NAMES.where(Thing.mood.in_([Mood.sad])), Name)

    assert found == [Name("b")]


async def test_a_statement_built_anew_keeps_its_own_values(things: Postgres) -> None:
    await add(things, "a", "b", "c")
    async with things.session(OURS) as db:
        for name in "abcab" * 3:
            assert [row.name for row in await db.all(select(Thing.name).where(Thing.name == name), Name)] == [name]


async def test_text_takes_values_and_gives_rows(things: Postgres) -> None:
    await add(things, "a", "b")
    async with things.session(OURS) as db:
        found = await db.all(text("select name from things_thing where name > :least"), Name, {"least": "a"})

    assert found == [Name("b")]


async def test_execute_tells_how_many_rows_it_touched(things: Postgres) -> None:
    await add(things, "a", "b")
    async with things.session(OURS) as db:
        assert await db.execute(update(Thing).values(qty=1)) == 2
        assert await db.execute(delete(Thing).where(Thing.name == "x")) == 0


async def test_a_batch_answers_in_order(things: Postgres) -> None:
    async with things.session(OURS) as db:
        added, every, count = await db.batch((new("a"), Row, None), (NAMES, Name, None), (COUNT, Number, {}))

    assert [row.name for row in added] == ["a"]
    assert every == [Name("a")]
    assert count == [Number(1)]


async def test_one_and_one_or_none_count_their_rows(things: Postgres) -> None:
    await add(things, "a", "b")
    async with things.session(OURS) as db:
        assert await db.one_or_none(NAMED, Row, {"name": "x"}) is None
        with pytest.raises(NotOneRow, match="got 0"):
            await db.one(NAMED, Row, {"name": "x"})
        with pytest.raises(NotOneRow, match="got 2"):
            await db.one(NAMES, Name)
        with pytest.raises(NotOneRow, match="got 2"):
            await db.one_or_none(NAMES, Name)


# ---------------------------------------------------------------- tenants


async def test_a_tenant_sees_its_own_rows_only(things: Postgres) -> None:
    await add(things, "ours")
    await add(things, "theirs", tenant=THEIRS)

    assert await names(things) == ["ours"]
    assert await names(things, THEIRS) == ["theirs"]


async def test_a_row_of_another_tenant_cannot_be_written(things: Postgres) -> None:
    with pytest.raises(Forbidden):
        await add_foreign(things)
    assert await names(things, THEIRS) == []


async def add_foreign(things: Postgres) -> None:
    async with things.session(OURS) as db:
        await db.execute(new("x", THEIRS))


async def test_without_a_tenant_nothing_is_seen_on_a_connection_that_had_one(
    things_address: str, admin: psycopg.Connection
) -> None:
    async with postgres(database_settings(things_address, pool_size=1, max_overflow=0)) as things:
        await add(things, "a")
        async with things.session(None) as db:
            assert await db.all(ALL, Row) == []
        with pytest.raises(Forbidden):
            async with things.session(None) as db:
                await db.execute(new("b"))


async def test_a_savepoint_keeps_the_tenant(things: Postgres) -> None:
    async with things.session(OURS) as db:
        orm = db.unit.orm()
        async with orm.begin_nested():
            await orm.execute(new("kept"))
        nested = await orm.begin_nested()
        await orm.execute(new("undone"))
        await nested.rollback()
        await db.execute(new("later"))

        assert [row.name for row in await db.all(NAMES, Name)] == ["kept", "later"]


# ---------------------------------------------------------------- all or nothing


async def test_an_error_undoes_everything(things: Postgres) -> None:
    with pytest.raises(RuntimeError):
        await add_and_fail(things)
    assert await names(things) == []


async def add_and_fail(things: Postgres) -> None:
    async with things.session(OURS) as db:
        await db.execute(new("a"))
        raise RuntimeError


async def test_a_commit_that_fails_is_an_error_before_any_answer(things: Postgres) -> None:
    unit = things.unit(OURS)
    await DatabaseSession(unit).execute(insert(Part).values(tenant_id=OURS, thing_id=uuid4()))

    with pytest.raises(Conflict):
        await unit.commit()
    await unit.close()


async def test_a_swallowed_error_does_not_end_in_a_commit(things: Postgres) -> None:
    await add(things, "a")
    unit = things.unit(OURS)
    db = DatabaseSession(unit)
    await db.execute(new("b"))
    with pytest.raises(Conflict):
        await db.execute(new("a"))
    with pytest.raises(DatabaseError, match="after one that had failed"):
        await db.all(NAMES, Name)
    with pytest.raises(DatabaseError):
        await unit.commit()
    await unit.close()

    assert await names(things) == ["a"]


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
async def test_after_its_end_a_session_refuses(things: Postgres, end: str) -> None:
    unit = things.unit(OURS)
    db, orm = DatabaseSession(unit), unit.orm()
    await orm.execute(ALL)
    await db.execute(new("a"))
    await getattr(unit, end)()

    with pytest.raises(DatabaseError, match="has ended"):
        await db.execute(new("b"))
    with pytest.raises(DatabaseError, match="has ended"):
        await orm.execute(ALL)
    await unit.close()
    assert await names(things) == (["a"] if end == "commit" else [])


@pytest.mark.parametrize(
    "write", [new("x"), delete(Thing), text("with gone as (delete from things_thing returning 1) select * from gone")]
)
async def test_a_unit_that_only_reads_refuses_a_write(things: Postgres, write: Executable) -> None:
    await add(things, "a")
    unit = things.unit(OURS, read_only=True)
    try:
        assert await DatabaseSession(unit).all(NAMES, Name) == [Name("a")]
        with pytest.raises(DatabaseError, match="GET and HEAD only read"):
            await DatabaseSession(unit).execute(write)
    finally:
        await unit.close()
    await add(things, "b")

    assert await names(things) == ["a", "b"]


@pytest.mark.parametrize("escape", ["set transaction read write", "set transaction_read_only = off"])
async def test_a_unit_that_only_reads_cannot_be_talked_out_of_it(things: Postgres, escape: str) -> None:
    unit = things.unit(OURS, read_only=True)
    with pytest.raises(DatabaseError):
        await DatabaseSession(unit).execute(text(escape))
    await unit.close()


# ---------------------------------------------------------------- the ORM


async def test_the_orm_shares_transaction_and_tenant(things: Postgres) -> None:
    await add(things, "theirs", tenant=THEIRS)
    unit = things.unit(OURS)
    db, orm = DatabaseSession(unit), unit.orm()
    await db.execute(new("a"))
    orm.add(Thing(tenant_id=OURS, name="b"))
    found = (await orm.scalars(ALL)).all()
    seen = await db.all(NAMES, Name)
    await unit.commit()
    await unit.close()

    assert [thing.name for thing in found] == ["a", "b"]
    assert seen == [Name("a"), Name("b")]
    assert await names(things) == ["a", "b"]


async def test_what_the_orm_was_given_is_stored_with_the_request(things: Postgres) -> None:
    unit = things.unit(OURS)
    unit.orm().add_all([Thing(tenant_id=OURS, name="a"), Thing(tenant_id=OURS, name="b")])
    await unit.commit()
    await unit.close()

    assert await names(things) == ["a", "b"]


async def test_the_orm_undoes_everything_and_goes_on_in_its_tenant(things: Postgres) -> None:
    unit = things.unit(OURS)
    orm, db = unit.orm(), DatabaseSession(unit)
    await db.execute(new("a"))
    await orm.execute(ALL)
    await orm.rollback()
    orm.add(Thing(tenant_id=OURS, name="b"))
    await orm.flush()
    await unit.commit()
    await unit.close()

    assert await names(things) == ["b"]


async def test_the_orm_does_not_commit_by_hand(things: Postgres) -> None:
    unit = things.unit(OURS)
    unit.orm().add(Thing(tenant_id=OURS, name="a"))
    with pytest.raises(DatabaseError, match="commits with its request"):
        await unit.orm().commit()
    await unit.close()

    assert await names(things) == []


async def test_a_savepoint_of_the_orm_survives_a_conflict(things: Postgres) -> None:
    await add(things, "a")
    unit = things.unit(OURS)
    orm = unit.orm()
    with pytest.raises(Conflict):
        async with orm.begin_nested():
            orm.add(Thing(tenant_id=OURS, name="a"))
    orm.add(Thing(tenant_id=OURS, name="b"))
    await unit.commit()
    await unit.close()

    assert await names(things) == ["a", "b"]


# ---------------------------------------------------------------- what goes wrong


BAD: Mapping[str, dict[str, Any]] = {
    "NUL in a text": {"name": f"{CANARY}\0"},
    "lone surrogate in a text": {"name": f"{CANARY}\ud800"},
    "NUL in a document": {"data": {CANARY: "\0"}},
    "lone surrogate in a document": {"data": {CANARY: "\ud800"}},
    "NaN in a document": {"data": {CANARY: float("nan")}},
    "2^31 in an integer": {"qty": 2**31},
    "2^63 in a bigint": {"big": 2**63},
    "too many digits": {"price": Decimal("1e400")},
    "negative": {"qty": -1},
    "null": {"name": None},
    "too long for an index": {"name": "".join(random.choices("0123456789abcdef", k=20_000))},
    "too deep": {"data": reduce(lambda inner, _: [inner], range(20_000), [CANARY])},
    "not of the list": {"mood": CANARY},
}  # fmt: skip


@pytest.mark.parametrize("by", ["core", "orm"])
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
async def test_a_value_that_does_not_fit_is_a_problem_without_the_value(
    things: Postgres, bad: dict[str, Any], by: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    given = {"name": "x", "tenant_id": OURS, **bad}
    unit = things.unit(OURS)
    with pytest.raises(Problem) as refused:
        await (flush(unit.orm(), given) if by == "orm" else store(DatabaseSession(unit), given))
    await unit.close()

    assert type(refused.value) is Unprocessable
    assert CANARY not in everything_said(refused.value, caplog)


async def store(db: DatabaseSession, given: dict[str, Any]) -> None:
    await db.execute(insert(Thing).values(**given))


async def flush(orm: Any, given: dict[str, Any]) -> None:
    orm.add(Thing(**given))
    await orm.flush()


def everything_said(error: BaseException, caplog: pytest.LogCaptureFixture) -> str:
    """What would be seen of an error at worst: logged with its traceback and all causes."""
    logging.getLogger("test").error("it failed", exc_info=error)
    return caplog.text + "".join(str(vars(record)) for record in caplog.records)


FAILING: Mapping[str, tuple[Executable, type[Exception]]] = {
    "unique": (new(CANARY), Conflict),
    "with check": (new(CANARY + "2", THEIRS), Forbidden),
    "cast": (text(f"select '{CANARY}'::text::integer"), Unprocessable),
    "no such column": (text("select nothing from things_thing where name = :x").bindparams(x=CANARY), DatabaseError),
    "raise": (text(f"do $$ begin raise exception '{CANARY}' using detail = '{CANARY}'; end $$"), DatabaseError),
}


@pytest.mark.parametrize("by", ["core", "orm"])
@pytest.mark.parametrize("case", FAILING)
async def test_no_error_of_the_database_tells_a_value(
    things: Postgres, case: str, by: str, caplog: pytest.LogCaptureFixture
) -> None:
    await add(things, CANARY)
    caplog.set_level(logging.DEBUG)
    statement, expected = FAILING[case]
    unit = things.unit(OURS)
    with pytest.raises(expected) as refused:
        await (DatabaseSession(unit).execute(statement) if by == "core" else unit.orm().execute(statement))
    await unit.close()

    assert CANARY not in everything_said(refused.value, caplog)
    assert any(getattr(record, "sqlstate", "") for record in caplog.records)


async def test_a_canary_is_found_when_an_error_is_not_ours(
    things_address: str, admin: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    add_raw = "insert into things_thing (id, tenant_id, name) values (gen_random_uuid(), %s, %s)"
    admin.execute(add_raw, [OURS, CANARY])
    with pytest.raises(psycopg.errors.UniqueViolation) as raw:
        admin.execute(add_raw, [OURS, CANARY])

    assert CANARY in everything_said(raw.value, caplog)


async def test_a_statement_that_takes_too_long_is_504(things: Postgres) -> None:
    await add(things, "a")
    unit = things.unit(OURS)
    db = DatabaseSession(unit)
    await db.execute(text("set local statement_timeout = 50"))
    with pytest.raises(DeadlineExceeded):
        await db.all(SLEEP, Who, {"seconds": 9})
    await unit.close()


async def test_a_backend_killed_in_the_middle_is_503_and_the_next_session_works(
    things: Postgres, admin: psycopg.Connection
) -> None:
    await add(things, "a")
    unit = things.unit(OURS)
    db = DatabaseSession(unit)
    pid = (await db.one(text("select pg_backend_pid() as number"), Number)).number
    asking = asyncio.create_task(db.all(SLEEP, Who, {"seconds": 9}))
    await asyncio.sleep(0.1)
    admin.execute("select pg_terminate_backend(%s)", [pid])
    with pytest.raises(Unavailable) as refused:
        await asking
    with pytest.raises((Unavailable, DatabaseError)):
        await unit.commit()
    await unit.close()

    assert refused.value.headers["Retry-After"]
    assert await names(things) == ["a"]


async def test_when_no_connection_is_free_it_is_503(things_address: str, admin: psycopg.Connection) -> None:
    settings = database_settings(things_address, pool_size=1, max_overflow=0, pool_timeout=0.2)
    async with postgres(settings) as things:
        first, second = things.unit(OURS), things.unit(OURS)
        await DatabaseSession(first).all(NAMES, Name)
        with pytest.raises(Unavailable):
            await DatabaseSession(second).all(NAMES, Name)
        await second.close()
        await first.close()

        assert await names(things) == []


async def test_a_pool_of_one_serves_many(things_address: str, admin: psycopg.Connection) -> None:
    async with postgres(database_settings(things_address, pool_size=1, max_overflow=0)) as things:
        await asyncio.gather(*(add(things, f"{number:02}") for number in range(20)))

        assert len(await names(things)) == 20


# ---------------------------------------------------------------- cancellation


TASKS, ROUNDS, CONNECTIONS = 64, 6, 4
Work = Callable[[Postgres, UUID], Awaitable[Counter[str]]]


async def work(things: Postgres, tenant: UUID) -> Counter[str]:
    """A unit of work that reads, writes, uses the ORM or sleeps, and counts what it saw of others."""
    seen: Counter[str] = Counter()
    unit = things.unit(tenant, read_only=random.random() < 0.3)
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
        if not unit.read_only:
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
    units = [few.unit(OURS) for _ in range(CONNECTIONS)]
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
    unit = things.unit(OURS)
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
