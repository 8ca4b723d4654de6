"""The session: rows in classes, values of every type, and those of one tenant only."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import bindparam, delete, insert, select, text, update

from vinc_kernel.database.postgres import Postgres
from vinc_kernel.database.scope import Scope
from vinc_kernel.database.session import NotOneRow
from vinc_kernel.errors import Forbidden

from ..conftest import OURS, database_settings
from ..opening import postgres
from .things import ADD, ALL, COUNT, NAMED, NAMES, Mood, Name, NameModel, Number, Row, Thing, add, new


async def test_a_row_of_every_type_comes_back_as_it_was_stored(things: Postgres) -> None:
    stored: dict[str, Any] = {
        "id": uuid4(), "tenant_id": OURS, "name": "nälle 100% %(x)s :y", "qty": 2**31 - 1, "big": 2**63 - 1,
        "price": Decimal("12.50"), "mood": Mood.sad, "data": {"a": [1, None, "ü"]},
        "made": datetime(2026, 2, 28, 23, 59, tzinfo=UTC),
    }  # fmt: skip
    async with things.session(Scope(OURS)) as db:
        returned = await db.one(insert(Thing).values(**stored).returning(Thing), Row)
        found = await db.one(NAMED, Row, {"name": stored["name"]})

    assert returned == found == Row(**stored)


async def test_values_may_come_beside_a_constant_statement(things: Postgres) -> None:
    async with things.session(Scope(OURS)) as db:
        row = await db.one(ADD, Row, {"name": "a", "tenant_id": OURS, "price": Decimal(1)})

    assert (row.name, row.qty, row.price) == ("a", 7, Decimal("1.00"))


async def test_defaults_of_python_and_of_the_server_are_applied(things: Postgres) -> None:
    async with things.session(Scope(OURS)) as db:
        rows = await db.all(insert(Thing).values([{"name": n, "tenant_id": OURS} for n in "ab"]).returning(Thing), Row)
        await db.execute(update(Thing).where(Thing.name == "a").values(name="c"))
        changed = await db.one(NAMED, Row, {"name": "c"})

    assert len({row.id for row in rows}) == 2
    assert {row.qty for row in rows} == {7}
    assert all(row.made for row in rows)
    assert changed.qty == 8


async def test_rows_go_into_a_pydantic_model_as_well(things: Postgres) -> None:
    await add(things, "a")
    async with things.session(Scope(OURS)) as db:
        assert await db.all(NAMES, NameModel) == [NameModel(name="a")]


@pytest.mark.parametrize(("wanted", "found"), [([], []), (["a"], ["a"]), (["a", "c", "x"], ["a", "c"])])
async def test_in_takes_a_list_of_any_length(things: Postgres, wanted: list[str], found: list[str]) -> None:
    await add(things, "a", "b", "c")
    built = NAMES.where(Thing.name.in_(wanted))
    constant = NAMES.where(Thing.name.in_(bindparam("wanted", expanding=True)))
    async with things.session(Scope(OURS)) as db:
        assert [row.name for row in await db.all(built, Name)] == found
        assert [row.name for row in await db.all(constant, Name, {"wanted": wanted})] == found


async def test_in_converts_each_of_its_values_and_those_beside_it(things: Postgres) -> None:
    async with things.session(Scope(OURS)) as db:
        await db.execute(new("a", mood=Mood.glad))
        await db.execute(new("b", mood=Mood.sad, data={"a": 1}))
        found = await db.all(NAMES.where(Thing.mood.in_([Mood.sad]), Thing.data == {"a": 1}), Name)

    assert found == [Name("b")]


async def test_a_statement_built_anew_keeps_its_own_values(things: Postgres) -> None:
    await add(things, "a", "b", "c")
    async with things.session(Scope(OURS)) as db:
        for name in "abcab" * 3:
            assert [row.name for row in await db.all(select(Thing.name).where(Thing.name == name), Name)] == [name]


async def test_text_takes_values_and_gives_rows(things: Postgres) -> None:
    await add(things, "a", "b")
    async with things.session(Scope(OURS)) as db:
        found = await db.all(text("select name from things_thing where name > :least"), Name, {"least": "a"})

    assert found == [Name("b")]


async def test_execute_tells_how_many_rows_it_touched(things: Postgres) -> None:
    await add(things, "a", "b")
    async with things.session(Scope(OURS)) as db:
        assert await db.execute(update(Thing).values(qty=1)) == 2
        assert await db.execute(delete(Thing).where(Thing.name == "x")) == 0


async def test_a_batch_answers_in_order(things: Postgres) -> None:
    async with things.session(Scope(OURS)) as db:
        added, every, count = await db.batch((new("a"), Row, None), (NAMES, Name, None), (COUNT, Number, {}))

    assert [row.name for row in added] == ["a"]
    assert every == [Name("a")]
    assert count == [Number(1)]


async def test_one_and_one_or_none_count_their_rows(things: Postgres) -> None:
    await add(things, "a", "b")
    async with things.session(Scope(OURS)) as db:
        assert await db.one_or_none(NAMED, Row, {"name": "x"}) is None
        with pytest.raises(NotOneRow, match="got 0"):
            await db.one(NAMED, Row, {"name": "x"})
        with pytest.raises(NotOneRow, match="got 2"):
            await db.one(NAMES, Name)
        with pytest.raises(NotOneRow, match="got 2"):
            await db.one_or_none(NAMES, Name)


async def test_without_a_tenant_nothing_is_seen_on_a_connection_that_had_one(
    things_address: str, admin: psycopg.Connection
) -> None:
    async with postgres(database_settings(things_address, pool_size=1, max_overflow=0)) as things:
        await add(things, "a")
        async with things.session(Scope(None)) as db:
            assert await db.all(ALL, Row) == []
        with pytest.raises(Forbidden):
            async with things.session(Scope(None)) as db:
                await db.execute(new("b"))


async def test_a_savepoint_keeps_the_tenant(things: Postgres) -> None:
    async with things.session(Scope(OURS)) as db:
        orm = db.unit.orm()
        async with orm.begin_nested():
            await orm.execute(new("kept"))
        nested = await orm.begin_nested()
        await orm.execute(new("undone"))
        await nested.rollback()
        await db.execute(new("later"))

        assert [row.name for row in await db.all(NAMES, Name)] == ["kept", "later"]
