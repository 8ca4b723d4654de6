"""Nothing of a unit of work outlives it: no setting, no connection, and no transaction that somebody else ended."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import insert, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InvalidRequestError

from vinc_kernel.database.postgres import Postgres
from vinc_kernel.database.scope import Scope
from vinc_kernel.database.session import DatabaseSession
from vinc_kernel.database.unit import UnitOfWork
from vinc_kernel.errors import Conflict, DatabaseError

from ..conftest import OURS, THEIRS, database_settings
from ..opening import postgres
from .things import ALL, Part, Thing, names, new


@pytest.fixture
async def single(things_address: str, admin: psycopg.Connection) -> AsyncGenerator[Postgres]:
    """A pool of one connection, which everybody gets after another."""
    async with postgres(database_settings(things_address, pool_size=1, max_overflow=0, pool_timeout=1)) as pool:
        yield pool


async def ask(db: DatabaseSession, statement: str) -> Any:
    return await db.all(text(statement), dict)


LEFT_BEHIND = {
    "set search_path = nowhere": "select current_setting('search_path') as found",
    "set statement_timeout = 1234": "select current_setting('statement_timeout') as found",
    "select set_config('work_mem', '1MB', false)": "select current_setting('work_mem') as found",
    "set session characteristics as transaction read only": "select current_setting('transaction_read_only') as found",
    "select set_config('vinc.tenant_id', 'x', false), set_config('vinc.other', 'x', false)": (
        "select coalesce(current_setting('vinc.other', true), '') as found"
    ),
    "select pg_advisory_lock(4711)": (
        "select count(*) as found from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
    ),
    "listen somebody": "select count(*) as found from pg_listening_channels()",
    "declare kept cursor with hold for select 1": "select count(*) as found from pg_cursors",
}


@pytest.mark.parametrize("by", ["core", "orm"])
@pytest.mark.parametrize("end", ["commit", "end", "a commit that fails"])
@pytest.mark.parametrize("statement", LEFT_BEHIND)
async def test_nothing_that_a_statement_sets_outlives_its_transaction(
    single: Postgres, statement: str, end: str, by: str
) -> None:
    async with single.session(Scope(OURS)) as db:
        await ask(db, "select 1 as settled")
        (before,) = await ask(db, LEFT_BEHIND[statement])
    unit = single.unit(Scope(OURS))
    if end == "a commit that fails":
        await DatabaseSession(unit).execute(insert(Part).values(tenant_id=OURS, thing_id=uuid4()))
    await (DatabaseSession(unit).execute(text(statement)) if by == "core" else unit.orm().execute(text(statement)))
    if end == "a commit that fails":
        with pytest.raises(Conflict):
            await unit.commit()
    else:
        await getattr(unit, end)()
    await unit.close()

    async with single.session(Scope(THEIRS)) as db:
        (after,) = await ask(db, LEFT_BEHIND[statement])
    assert {key: value or None for key, value in after.items()} == {k: v or None for k, v in before.items()}


ENDING = [
    "commit", "COMMIT AND CHAIN", " -- so\n/* or * so */ ; commit", "end", "rollback", "rollback and chain", "abort",
    "begin", "start transaction", "prepare transaction 'x'",
]  # fmt: skip


@pytest.mark.parametrize("become", ["set role {}_all", "select things_become()"], ids=["set", "by a function"])
async def test_a_role_that_is_set_is_nobody_elses(
    single: Postgres, things_address: str, admin: psycopg.Connection, become: str
) -> None:
    role = make_url(things_address).username
    admin.execute(f"create role {role}_all; grant {role}_all to {role}".encode())
    body = f"select set_config('role', '{role}_all', false)"
    admin.execute(f"create function things_become() returns text language sql as $$ {body} $$".encode())
    try:
        async with single.session(Scope(OURS)) as db:
            await db.execute(text(become.format(role)))
        for scope in (Scope(THEIRS), Scope(THEIRS, read_only=True), Scope()):
            async with single.session(scope) as db:
                assert await ask(db, "select current_user::text as name") == [{"name": role}]
    finally:
        admin.execute(f"drop function things_become; drop role {role}_all".encode())


@pytest.mark.parametrize("by", ["core", "orm"])
@pytest.mark.parametrize("statement", ENDING)
async def test_a_statement_that_would_end_the_transaction_is_refused_and_nothing_is_stored(
    things: Postgres, statement: str, by: str
) -> None:
    unit = things.unit(Scope(OURS))
    db = DatabaseSession(unit)
    await db.execute(new("a"))
    with pytest.raises(DatabaseError, match="ends its transaction with its request"):
        await (db.execute(text(statement)) if by == "core" else unit.orm().execute(text(statement)))
    await unit.close()

    assert await names(things) == []


async def test_a_batch_with_a_commit_in_it_stores_nothing(things: Postgres) -> None:
    unit = things.unit(Scope(OURS))
    with pytest.raises(DatabaseError, match="COMMIT was refused"):
        await DatabaseSession(unit).batch(
            (new("a"), Thing, None), (text("commit"), dict, None), (new("b"), Thing, None)
        )
    await unit.close()

    assert await names(things) == []


@pytest.mark.parametrize("several", ["select 1; commit", "select 1; commit; begin", "select 1; rollback; begin"])
async def test_a_transaction_that_was_ended_behind_ones_back_is_an_error_and_costs_the_connection(
    single: Postgres, several: str
) -> None:
    unit = single.unit(Scope(OURS))
    db, orm = DatabaseSession(unit), unit.orm()
    await orm.execute(ALL)
    with pytest.raises(DatabaseError, match=r"take it out|each by itself"):
        await orm.execute(text(several))
    with pytest.raises(DatabaseError, match="after one that had failed"):
        await db.execute(new("a"))
    with pytest.raises(DatabaseError):
        await unit.commit()
    await unit.close()

    assert await names(single) == []


@pytest.mark.parametrize("by", ["core", "orm"])
@pytest.mark.parametrize("statement", ["copy things_thing to stdout", "copy things_thing from stdin"])
async def test_a_copy_is_a_fault_of_the_statement(things: Postgres, statement: str, by: str) -> None:
    unit = things.unit(Scope(OURS))
    with pytest.raises(DatabaseError, match=r"COPY was refused: .* use insert"):
        await (DatabaseSession(unit).execute(text(statement)) if by == "core" else unit.orm().execute(text(statement)))
    await unit.close()

    assert await names(things) == []


@pytest.mark.parametrize("by", ["core", "orm"])
async def test_who_waits_for_a_connection_while_the_session_ends_takes_none(single: Postgres, by: str) -> None:
    for _ in range(3):
        other, unit = single.unit(Scope(OURS)), single.unit(Scope(OURS))
        await ask(DatabaseSession(other), "select 1 as a")
        waiting = asyncio.create_task(ask(DatabaseSession(unit), "select 1 as a") if by == "core" else ask_orm(unit))
        await asyncio.sleep(0.01)
        await unit.close()
        await other.close()
        with pytest.raises(DatabaseError, match="has ended"):
            await waiting

    assert await names(single) == []


async def ask_orm(unit: UnitOfWork) -> None:
    await unit.orm().execute(ALL)


@pytest.mark.parametrize("by", ["core", "orm"])
@pytest.mark.parametrize("turns", range(6))
async def test_who_goes_on_after_the_end_gets_no_foreign_connection(single: Postgres, turns: int, by: str) -> None:
    unit = single.unit(Scope(OURS))
    going = asyncio.create_task(go_on(unit, by))
    for _ in range(turns):
        await asyncio.sleep(0.001)
    await asyncio.gather(unit.close(), return_exceptions=True)
    await asyncio.wait_for(asyncio.gather(going, return_exceptions=True), 5)

    assert await names(single) == []
    assert going.cancelled() or isinstance(going.exception(), DatabaseError | InvalidRequestError)


async def go_on(unit: UnitOfWork, by: str) -> None:
    db, orm = DatabaseSession(unit), unit.orm()
    while True:
        await (ask(db, "select pg_sleep(0.002)::text as slept") if by == "core" else orm.execute(ALL))
