"""A unit of work is all or nothing, and Core and the ORM share it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql import Executable

from vinc_kernel.database.postgres import Postgres
from vinc_kernel.database.scope import Scope
from vinc_kernel.database.session import DatabaseSession
from vinc_kernel.errors import Conflict, DatabaseError, Forbidden

from ..conftest import OURS, THEIRS
from .things import ALL, COUNT, NAMES, Name, Number, Thing, add, names, new


async def test_statements_that_are_asked_at_once_run_one_after_another(things: Postgres) -> None:
    async with things.session(Scope(OURS)) as db:
        await asyncio.gather(*(db.execute(new(f"{number:02}")) for number in range(10)))
        counts = await asyncio.gather(*(db.one(COUNT, Number) for _ in range(5)))

    assert counts == [Number(10)] * 5


async def test_an_error_undoes_everything(things: Postgres) -> None:
    with pytest.raises(RuntimeError):
        await add_and_fail(things)
    assert await names(things) == []


async def add_and_fail(things: Postgres) -> None:
    async with things.session(Scope(OURS)) as db:
        await db.execute(new("a"))
        raise RuntimeError


async def test_a_swallowed_error_does_not_end_in_a_commit(things: Postgres) -> None:
    await add(things, "a")
    unit = things.unit(Scope(OURS))
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


@pytest.mark.parametrize("end", ["commit", "end", "close"])
async def test_after_its_end_a_session_refuses(things: Postgres, end: str) -> None:
    unit = things.unit(Scope(OURS))
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
    unit = things.unit(Scope(OURS, read_only=True))
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
    unit = things.unit(Scope(OURS, read_only=True))
    with pytest.raises(DatabaseError):
        await DatabaseSession(unit).execute(text(escape))
    await unit.close()


async def test_the_orm_shares_transaction_and_tenant(things: Postgres) -> None:
    await add(things, "theirs", tenant=THEIRS)
    unit = things.unit(Scope(OURS))
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
    unit = things.unit(Scope(OURS))
    unit.orm().add_all([Thing(tenant_id=OURS, name="a"), Thing(tenant_id=OURS, name="b")])
    await unit.commit()
    await unit.close()

    assert await names(things) == ["a", "b"]


@pytest.mark.parametrize("goes_on", [True, False])
async def test_a_rollback_fails_the_request_with_all_that_it_wrote(things: Postgres, goes_on: bool) -> None:
    unit = things.unit(Scope(OURS))
    orm, db = unit.orm(), DatabaseSession(unit)
    await db.execute(new("a"))
    await orm.execute(ALL)
    await orm.rollback()
    with pytest.raises(DatabaseError, match="rollback"):
        await (orm.execute(ALL) if goes_on else unit.commit())
    with pytest.raises(DatabaseError, match="rollback"):
        await unit.commit()
    await unit.close()

    assert await names(things) == []


ENDS: dict[str, Callable[[AsyncSession], Awaitable[object]]] = {
    "rollback": AsyncSession.rollback,
    "reset": AsyncSession.reset,
    "close": lambda orm: orm.run_sync(lambda session: session.close()),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_whatever_ends_an_unused_orm_session_fails_the_request_too(
    things: Postgres, end: Callable[[AsyncSession], Awaitable[object]]
) -> None:
    unit = things.unit(Scope(OURS))
    await DatabaseSession(unit).execute(new("a"))
    unit.orm().add(Thing(tenant_id=OURS, name="b"))
    await end(unit.orm())
    with pytest.raises(DatabaseError, match="rollback"):
        await unit.commit()
    await unit.close()

    assert await names(things) == []


async def test_a_savepoint_that_is_left_open_is_an_error_and_nothing_is_stored(things: Postgres) -> None:
    unit = things.unit(Scope(OURS))
    await DatabaseSession(unit).execute(new("a"))
    await unit.orm().begin_nested()
    unit.orm().add(Thing(tenant_id=OURS, name="b"))
    with pytest.raises(DatabaseError, match="a savepoint is still open"):
        await unit.commit()
    await unit.close()

    assert await names(things) == []


async def test_permission_is_asked_for_before_each_statement_and_the_commit(things: Postgres) -> None:
    asked: list[int] = []

    async def admit() -> None:
        asked.append(1)
        if len(asked) > 3:
            raise Forbidden

    unit = things.unit(Scope(OURS), admit)
    await DatabaseSession(unit).execute(new("a"))
    await DatabaseSession(unit).execute(new("b"))
    with pytest.raises(Forbidden):
        await unit.commit()
    await unit.close()

    assert await names(things) == []


async def test_a_statement_that_gives_up_waiting_leaves_the_one_that_runs_alone(things: Postgres) -> None:
    unit = things.unit(Scope(OURS))
    orm, db = unit.orm(), DatabaseSession(unit)
    await orm.execute(ALL)
    running = asyncio.create_task(orm.scalar(text("select 3 from pg_sleep(0.5)")))
    await asyncio.sleep(0.05)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await db.all(NAMES, Name)

    assert await running == 3
    await unit.close()


async def test_a_flush_whose_error_is_caught_fails_the_request(things: Postgres) -> None:
    await add(things, "a")
    unit = things.unit(Scope(OURS))
    await DatabaseSession(unit).execute(new("b"))
    unit.orm().add(Thing(tenant_id=OURS, name="a"))
    with suppress(Conflict):
        await unit.orm().flush()
    await unit.orm().rollback()
    with pytest.raises(DatabaseError, match="after one that had failed"):
        await unit.commit()
    await unit.close()

    assert await names(things) == ["a"]


async def test_a_savepoint_covers_what_comes_before_its_first_statement(things: Postgres) -> None:
    unit = things.unit(Scope(OURS))
    nested = await unit.orm().begin_nested()
    await DatabaseSession(unit).execute(new("a"))
    await nested.rollback()
    await DatabaseSession(unit).execute(new("b"))
    await unit.commit()
    await unit.close()

    assert await names(things) == ["b"]


async def test_the_orm_does_not_commit_by_hand(things: Postgres) -> None:
    unit = things.unit(Scope(OURS))
    unit.orm().add(Thing(tenant_id=OURS, name="a"))
    with pytest.raises(DatabaseError, match="commits with its request"):
        await unit.orm().commit()
    await unit.close()

    assert await names(things) == []
