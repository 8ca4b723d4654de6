"""A plugin of another company, with tables whose foreign keys form a cycle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import APIRouter
from httpx import AsyncClient
from psycopg import sql
from pydantic import Field
from sqlalchemy import text

from vinc_kernel import Context, Contribution, Session, TenantSettings, VincError, hooks, inject, signed_in
from vinc_tenants import purge
from vinc_testing import ClientAs, Database, Servers

TABLES = """
create table billing_invoice (tenant_id uuid not null, id uuid not null, number text not null, first_line uuid,
  primary key (tenant_id, id));
create table billing_line (tenant_id uuid not null, id uuid not null, invoice_id uuid not null, after uuid,
  primary key (tenant_id, id),
  foreign key (tenant_id, invoice_id) references billing_invoice on delete restrict,
  foreign key (tenant_id, after) references billing_line on delete restrict);
alter table billing_invoice add foreign key (tenant_id, first_line) references billing_line;
create table retired_note (tenant_id uuid not null, id uuid not null, words text, primary key (tenant_id, id))
  partition by hash (tenant_id);
create table retired_note_0 partition of retired_note for values with (modulus 1, remainder 0);
"""
PROTECT = """
alter table {table} owner to {owner};
alter table {table} enable row level security;
alter table {table} force row level security;
create policy vinc_tenant on {table} to {app}
  using (tenant_id = (select nullif(current_setting('vinc.tenant_id', true), '')::uuid));
create policy vinc_platform on {table} to {platform} using (true);
grant select, insert, update, delete on {table} to {app}, {platform};
"""
PROTECTED = ("billing_invoice", "billing_line", "retired_note")
DROP = "drop table if exists billing_invoice, billing_line, retired_note cascade"
LOG = """
create table billing_log (tenant_id uuid not null, id uuid not null default gen_random_uuid(), words text,
  primary key (tenant_id, id));
insert into vinc_table (name, plugin, append_only) values ('billing_log', 'billing', true);
"""
APPEND_ONLY = "revoke update, delete on billing_log from {app}, {platform}"
DROP_LOG = "drop table billing_log; delete from vinc_table where name = 'billing_log'"
SET_UP = text(
    "insert into billing_invoice (tenant_id, id, number)"
    " values (nullif(current_setting('vinc.tenant_id', true), '')::uuid, gen_random_uuid(), 'first')"
)
COUNT = text("select count(*) as number from billing_invoice")


class Terms(TenantSettings):
    """A tenant's settings in the plugin."""

    days: Annotated[int, Field(ge=0, le=365)] = 30
    footer: str = "Thank you"


Step = Callable[[Context], Awaitable[object]]


@dataclass
class Billing:
    """What the plugin's hooks do, and the contexts that they were called with."""

    on_create: Step | None = None
    on_purge: Step | None = None
    purged: list[Context] = field(default_factory=list)


@pytest.fixture(autouse=True)
def only_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other worker has cached anything, so that a purge need not wait."""
    monkeypatch.setattr(purge, "SECONDS_UNTIL_REFUSED", 0.0)


@pytest.fixture
def billing() -> Billing:
    return Billing()


def module_of(billing: Billing) -> ModuleType:
    router = APIRouter(prefix="/billing", dependencies=[signed_in])

    @router.get("")
    async def count(db: Session, terms: Annotated[Terms, inject(Terms)]) -> dict[str, Any]:
        return {**await db.one(COUNT, dict), **terms.model_dump()}

    @router.post("", status_code=204)
    async def add(db: Session) -> None:
        await db.execute(SET_UP)

    @hooks.contribute
    def contribute() -> Contribution:
        return Contribution(routers=[router], tenant_settings=Terms, optional_for_tenants=True)

    @hooks.tenant_created
    async def set_up(context: Context) -> None:
        await context.session.execute(SET_UP)
        if billing.on_create:
            await billing.on_create(context)

    @hooks.tenant_purge
    async def take_away(context: Context) -> None:
        billing.purged.append(context)
        if billing.on_purge:
            await billing.on_purge(context)

    module = ModuleType("made_billing.plugin")
    vars(module).update(contribute=contribute, set_up=set_up, take_away=take_away)
    return module


@pytest.fixture
def vinc_plugins(billing: Billing, tables: Database) -> Mapping[str, ModuleType]:
    return {"billing": module_of(billing)}


@pytest.fixture
def tables(vinc_servers: Servers, vinc_database: Database) -> Generator[Database]:
    """The tables of that plugin, and of one that is disabled, as their migrations would create them."""
    roles = {key: sql.Identifier(f"{vinc_servers.prefix}_{key}") for key in ("owner", "app", "platform")}
    vinc_database.admin.execute(DROP)
    vinc_database.admin.execute(TABLES)
    for table in PROTECTED:
        vinc_database.admin.execute(sql.SQL(PROTECT).format(table=sql.Identifier(table), **roles))
    yield vinc_database
    vinc_database.admin.execute(DROP)


@pytest.fixture
def log(vinc_servers: Servers, tables: Database) -> Generator[Database]:
    """An append-only table besides."""
    roles = {key: sql.Identifier(f"{vinc_servers.prefix}_{key}") for key in ("owner", "app", "platform")}
    tables.admin.execute(LOG)
    for statement in (PROTECT, APPEND_ONLY):
        tables.admin.execute(sql.SQL(statement).format(table=sql.Identifier("billing_log"), **roles))
    yield tables
    tables.admin.execute(DROP_LOG)


@pytest.fixture
def retired(tables: Database) -> Generator[Database]:
    """The plugin that is disabled is on record, as the owner of its table."""
    tables.admin.execute("insert into vinc_table (name, plugin) values ('retired_note', 'retired')")
    yield tables
    tables.admin.execute("delete from vinc_table where plugin = 'retired'")


@pytest.fixture
def acme(vinc_database: Database) -> UUID:
    return vinc_database.add_tenant("acme")


@pytest.fixture
def admin(client_as: ClientAs, acme: UUID) -> AsyncClient:
    return client_as("wholesale_admin", "acme")


@pytest.fixture
def vinc_environment() -> Mapping[str, str]:
    return {"VINC_TENANTS__PURGE_AFTER": "7"}


def plant(database: Database, tenant: UUID, *, invoices: int = 1, notes: int = 1) -> None:
    """Add rows of a tenant to each table, whose keys form a cycle."""
    for _ in range(invoices):
        database.admin.execute(
            "with invoice as (insert into billing_invoice select %(tenant)s, gen_random_uuid(), 'n' returning id),"
            " line as (insert into billing_line select %(tenant)s, gen_random_uuid(), id from invoice returning id)"
            " select 1",
            {"tenant": tenant},
        )
        database.admin.execute(
            "update billing_invoice i set first_line = l.id from billing_line l"
            " where l.invoice_id = i.id and i.tenant_id = %(tenant)s",
            {"tenant": tenant},
        )
        database.admin.execute("update billing_line set after = id where tenant_id = %(tenant)s", {"tenant": tenant})
    for _ in range(notes):
        database.admin.execute("insert into retired_note values (%s, gen_random_uuid(), 'secret')", [tenant])


def rows_of(database: Database, tenant: UUID) -> dict[str, int]:
    counts = {}
    for table in PROTECTED:
        query = sql.SQL("select count(*) from {} where tenant_id = %s").format(sql.Identifier(table))
        ((counts[table],),) = database.admin.execute(query, [tenant]).fetchall()
    return counts


async def fail(_: Context) -> None:
    raise ValueError("no")


async def swallow(context: Context) -> None:
    """A hook that goes on after an error of the database."""
    with suppress(VincError):
        await context.session.execute(text("select 1 / 0"))
