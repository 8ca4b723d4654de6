"""Behind PgBouncer in transaction mode: nothing is prepared, and each caller gets the answer to its own question."""

import asyncio
import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
from sqlalchemy import Select, literal_column, select, text
from sqlalchemy.engine import URL, make_url

from vinc_kernel.connections.postgres import postgres
from vinc_kernel.database.pool import Postgres
from vinc_kernel.database.scope import Scope

from ..conftest import OURS, database_settings


@dataclass(frozen=True)
class Number:
    number: int


@pytest.fixture
async def pooled(things_address: str, admin: psycopg.Connection) -> AsyncGenerator[str]:
    """The address of a PgBouncer before the database, in transaction mode with two connections."""
    program = which("pgbouncer")
    if program is None:
        pytest.skip("not run: there is no pgbouncer here (Debian package pgbouncer)")
    url = make_url(things_address)
    with TemporaryDirectory(prefix="vinc-bouncer-") as name:
        config = configuration(Path(name), url)
        process = await asyncio.create_subprocess_exec(program, "-q", *as_ordinary_user(), config)
        try:
            for _ in range(100):
                if config.with_name(".s.PGSQL.6432").exists():
                    break
                await asyncio.sleep(0.05)
            yield url.set(port=6432, query={"host": name}).render_as_string(hide_password=False)
        finally:
            process.terminate()
            await process.wait()


def as_ordinary_user() -> list[str]:
    return ["-u", "postgres"] if os.geteuid() == 0 else []


def configuration(directory: Path, url: URL) -> Path:
    directory.chmod(0o777)
    config = directory / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n{url.database} = host={url.query['host']} user={url.username}\n"
        f"[pgbouncer]\nlisten_addr =\nunix_socket_dir = {directory}\nlisten_port = 6432\nauth_type = any\n"
        f"pool_mode = transaction\ndefault_pool_size = 2\nlogfile = {directory}/log\nsyslog = 0\n"
    )
    config.chmod(0o644)
    return config


async def test_nothing_is_prepared_behind_a_pooler_and_answers_are_ones_own(pooled: str) -> None:
    async with postgres(database_settings(pooled, pool_size=6, max_overflow=0)) as pool:
        await pool.ping()
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
