"""What the tests of this repository share; servers, databases and clients come from `vinc_testing`."""

from collections.abc import AsyncGenerator, Generator
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from vinc_kernel.database.postgres import Postgres
from vinc_kernel.settings import DatabaseSettings
from vinc_testing.servers import Servers, conninfo

from .opening import postgres

OURS, THEIRS = UUID("00000000-0000-7000-8000-00000000000a"), UUID("00000000-0000-7000-8000-00000000000b")

TABLES = """
create type things_mood as enum ('glad', 'sad');
create table things_thing (
    id uuid primary key, tenant_id uuid not null, name text not null, qty integer check (qty >= 0), big bigint,
    price numeric(12, 2), mood things_mood, data jsonb, made timestamptz default now(), unique (tenant_id, name)
);
create table things_part (
    id uuid primary key, tenant_id uuid not null,
    thing_id uuid not null references things_thing deferrable initially deferred
);
"""
PROTECT = """
alter table {table} enable row level security;
alter table {table} force row level security;
create policy tenant on {table} to {role}
    using (tenant_id = (select nullif(current_setting('vinc.tenant_id', true), '')::uuid));
grant select, insert, update, delete on {table} to {role};
"""


@pytest.fixture(scope="session")
def things_address(vinc_servers: Servers, worker_id: str) -> str:
    """A database of this worker's with two tables under row level security, as a role that is nobody special."""
    name, role = f"{vinc_servers.prefix}_{worker_id}_things", f"{vinc_servers.prefix}_{worker_id}"
    with psycopg.connect(conninfo(vinc_servers.postgres), autocommit=True) as connection:
        connection.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    with psycopg.connect(conninfo(vinc_servers.database(name)), autocommit=True) as connection:
        connection.execute(TABLES)
        for table in ("things_thing", "things_part"):
            names = {"table": sql.Identifier(table), "role": sql.Identifier(role)}
            connection.execute(sql.SQL(PROTECT).format(**names))
    return vinc_servers.database(name, role)


@pytest.fixture
def admin(vinc_servers: Servers, things_address: str) -> Generator[psycopg.Connection]:
    """A superuser in that database, whose tables are empty again."""
    name = things_address.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(conninfo(vinc_servers.database(name)), autocommit=True) as connection:
        connection.execute("truncate things_thing, things_part")
        yield connection


def database_settings(address: str, **more: object) -> DatabaseSettings:
    given = {"url": SecretStr(address), "pool_size": 2, "max_overflow": 2, "pool_timeout": 5, "start_timeout": 5}
    return DatabaseSettings.model_validate({**given, **more})


@pytest.fixture
async def things(things_address: str, admin: psycopg.Connection) -> AsyncGenerator[Postgres]:
    """The pool of an application on that database."""
    async with postgres(database_settings(things_address)) as pool:
        yield pool
