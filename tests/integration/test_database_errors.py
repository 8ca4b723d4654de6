"""What the database refuses is a problem, and no value stands in an answer or a log."""

import asyncio
import logging
import random
from collections.abc import Mapping
from decimal import Decimal
from functools import reduce
from typing import Any

import psycopg
import pytest
from sqlalchemy import insert, text
from sqlalchemy.sql import Executable

from vinc_kernel.database.postgres import Postgres
from vinc_kernel.database.scope import Scope
from vinc_kernel.database.session import DatabaseSession
from vinc_kernel.errors import Conflict, DatabaseError, Forbidden, Problem, Unavailable, Unprocessable

from ..conftest import OURS, THEIRS, database_settings
from ..opening import postgres
from .things import (
    NAMED,
    NAMES,
    SLEEP,
    Name,
    Number,
    Row,
    Thing,
    Who,
    add,
    names,
    new,
)

CANARY = "c4n4ry"


def nested(inner: Any, _: int) -> Any:
    return [inner]


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
    "too deep": {"data": reduce(nested, range(20_000), CANARY)},
    "not of the list": {"mood": CANARY},
}  # fmt: skip


@pytest.mark.parametrize("by", ["core", "orm"])
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
async def test_a_value_that_does_not_fit_is_a_problem_without_the_value(
    things: Postgres, bad: dict[str, Any], by: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    given = {"name": "x", "tenant_id": OURS, **bad}
    unit = things.unit(Scope(OURS))
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
    unit = things.unit(Scope(OURS))
    with pytest.raises(expected) as refused:
        await (DatabaseSession(unit).execute(statement) if by == "core" else unit.orm().execute(statement))
    await unit.close()

    assert CANARY not in everything_said(refused.value, caplog)
    assert any(getattr(record, "sqlstate", "") for record in caplog.records)


async def test_a_second_error_in_a_batch_tells_no_value_either(
    things: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    unit = things.unit(Scope(OURS))
    with pytest.raises(Problem) as refused:
        await DatabaseSession(unit).batch((FAILING["cast"][0], Row, None), (new(f"{CANARY}\0"), Row, None))
    with pytest.raises(DatabaseError):
        await unit.commit()
    await unit.close()

    assert CANARY not in everything_said(refused.value, caplog)


async def test_statements_are_logged_on_demand_and_values_never(
    things_address: str, admin: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with postgres(database_settings(things_address, echo=True)) as things:
        unit = things.unit(Scope(OURS))
        await DatabaseSession(unit).execute(new(CANARY))
        await unit.orm().execute(NAMED, {"name": CANARY})
        await unit.close()

    assert "INSERT INTO things_thing" in caplog.text
    assert "WHERE things_thing.name" in caplog.text
    assert CANARY not in caplog.text


async def test_a_canary_is_found_when_an_error_is_not_ours(
    things_address: str, admin: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    add_raw = "insert into things_thing (id, tenant_id, name) values (gen_random_uuid(), %s, %s)"
    admin.execute(add_raw, [OURS, CANARY])
    with pytest.raises(psycopg.errors.UniqueViolation) as raw:
        admin.execute(add_raw, [OURS, CANARY])

    assert CANARY in everything_said(raw.value, caplog)


async def test_a_backend_killed_in_the_middle_is_503_and_the_next_session_works(
    things: Postgres, admin: psycopg.Connection
) -> None:
    await add(things, "a")
    unit = things.unit(Scope(OURS))
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
        first, second = things.unit(Scope(OURS)), things.unit(Scope(OURS))
        await DatabaseSession(first).all(NAMES, Name)
        with pytest.raises(Unavailable):
            await DatabaseSession(second).all(NAMES, Name)
        await second.close()
        await first.close()

        assert await names(things) == []


HINTS = {
    "select nothing from generate_series(1, 1)": "a column that it names is not in the database: vinc db upgrade",
    "select from nothing_of_that_name": "a table that it names is not in the database: vinc db upgrade",
    "select from pg_authid": "permission denied for table pg_authid: the application's role may not",
}


@pytest.mark.parametrize("statement", HINTS)
async def test_what_a_migration_would_mend_is_hinted_at_in_the_log(
    things: Postgres, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    unit = things.unit(Scope(OURS))
    with pytest.raises((DatabaseError, Forbidden)) as refused:
        await DatabaseSession(unit).execute(text(statement))
    await unit.close()

    assert HINTS[statement] in caplog.text
    assert "pg_authid" not in str(refused.value)
