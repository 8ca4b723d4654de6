"""A migration under a running application: PostgreSQL refuses what was prepared before it.

"cached plan must not change result type" has no SQLSTATE of its own.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from vinc_kernel.database.postgres import Postgres
from vinc_kernel.database.scope import Scope
from vinc_kernel.database.session import DatabaseSession
from vinc_kernel.errors import DatabaseError, Unavailable

from ..conftest import OURS, database_settings
from ..opening import postgres
from .things import names, new

EVERYTHING = text("select * from things_plan")


@pytest.fixture
async def planned(things_address: str, admin: psycopg.Connection) -> AsyncGenerator[Postgres]:
    """A pool of one connection, which has prepared a statement on a table that is changed afterwards."""
    role = make_url(things_address).username
    admin.execute("create table things_plan (a integer)")
    admin.execute(f"grant select, insert on things_plan to {role}".encode())
    try:
        async with postgres(database_settings(things_address, pool_size=1, max_overflow=0)) as things:
            for read_only in (False, True):
                async with things.session(Scope(OURS, read_only=read_only)) as db:
                    assert await db.all(EVERYTHING, dict) == []
            yield things
    finally:
        admin.execute("drop table things_plan")


def migrate(admin: psycopg.Connection) -> None:
    admin.execute("insert into things_plan values (1)")
    admin.execute("alter table things_plan add column b integer default 2")


@pytest.mark.parametrize("read_only", [True, False], ids=["reads", "writes"])
async def test_the_first_statement_after_a_migration_is_sent_once_more(
    planned: Postgres, admin: psycopg.Connection, *, read_only: bool
) -> None:
    pid = await backend(planned)
    migrate(admin)
    async with planned.session(Scope(OURS, read_only=read_only)) as db:
        found = await db.all(EVERYTHING, dict)

    assert found == [{"a": 1, "b": 2}]
    assert await backend(planned) != pid  # a new connection, which prepares statements
    async with planned.session(Scope(OURS)) as db:
        assert await db.all(text("select statement from pg_prepared_statements where name like 'vinc%'"), dict)


@pytest.mark.parametrize("by", ["core", "orm"])
async def test_a_later_statement_after_a_migration_is_503_and_works_in_the_next_transaction(
    planned: Postgres, admin: psycopg.Connection, by: str
) -> None:
    async with planned.session(Scope(OURS)) as before:
        for _ in range(6):  # psycopg's cursors prepare what came five times
            await before.unit.orm().execute(EVERYTHING)
    unit = planned.unit(Scope(OURS))
    db = DatabaseSession(unit)
    await db.execute(new("a"))
    migrate(admin)
    with pytest.raises(Unavailable) as refused:
        await (db.all(EVERYTHING, dict) if by == "core" else unit.orm().execute(EVERYTHING))
    with pytest.raises(DatabaseError):
        await unit.commit()
    await unit.close()

    assert refused.value.headers["Retry-After"]
    assert await names(planned) == []
    async with planned.session(Scope(OURS)) as again:
        assert await again.all(EVERYTHING, dict) == [{"a": 1, "b": 2}]


async def test_a_statement_that_the_server_does_not_support_is_not_sent_again(planned: Postgres) -> None:
    unit = planned.unit(Scope(OURS))
    with pytest.raises(DatabaseError):
        await DatabaseSession(unit).execute(text("select 1 from things_plan group by a for update"))
    await unit.close()

    assert await names(planned) == []


async def backend(things: Postgres) -> int:
    async with things.session(Scope(OURS)) as db:
        return int((await db.one(text("select pg_backend_pid() as pid"), dict))["pid"])
