"""Behind PgBouncer in transaction mode: nothing is prepared, and each caller gets the answer to its own question."""

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Select, literal_column, select, text

from vinc_kernel.database.postgres import Postgres
from vinc_kernel.database.scope import Scope

from ..conftest import OURS, database_settings
from ..opening import postgres
from .bouncer import bouncer
from .things import Number


@pytest.fixture
def pooled(things_address: str, admin: psycopg.Connection) -> Iterator[str]:
    """The address of a PgBouncer before the database, in transaction mode with two connections."""
    with bouncer(things_address, connections=2) as address:
        yield address


async def test_nothing_is_prepared_behind_a_pooler_and_answers_are_ones_own(pooled: str) -> None:
    async with postgres(database_settings(pooled, pool_size=6, max_overflow=0)) as pool:
        await pool.probe.ping()
        await asyncio.gather(*(ask_for(pool, number) for number in range(6)))
        async with pool.session(Scope(OURS)) as db:
            prepared = await db.one(text("select count(*) as number from pg_prepared_statements"), Number)

    assert prepared == Number(0)


async def ask_for(pool: Postgres, number: int) -> None:
    """Ask for a number of one's own, again and again; a constant in the text, so that no parameter tells it apart."""
    statement: Select[Any] = select(literal_column(str(number)).label("number"))
    for _ in range(100):
        async with pool.session(Scope(OURS)) as db:
            assert await db.one(statement, Number) == Number(number)
