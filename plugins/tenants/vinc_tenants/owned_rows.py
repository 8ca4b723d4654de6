"""The queries over all rows of one tenant, in the tables of every plugin; for a session above all tenants."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

from sqlalchemy import (
    Delete,
    Select,
    TableClause,
    Uuid,
    bindparam,
    column,
    delete,
    func,
    literal,
    select,
    table,
    text,
    union_all,
)

from vinc_kernel import Session

BY_TENANT = bindparam("tenant", type_=Uuid())
# Without partitions: their rows are their parents', and nobody may read them directly.
TABLES = text("""
select relname as name from pg_class join pg_attribute on attrelid = pg_class.oid
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
  and attname = 'tenant_id' and not attisdropped
order by relname
""")
# Whether all transactions that began before this one have ended; the first call gives this one its number.
IS_OLDEST = text("select pg_current_xact_id() = pg_snapshot_xmin(pg_current_snapshot()) as answer")
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class BooleanRow:
    """A row with one boolean."""

    answer: bool


@dataclass(frozen=True, slots=True)
class TableRow:
    """A table with a `tenant_id`."""

    name: str


@dataclass(frozen=True, slots=True)
class CountRow:
    """How many rows of a table are the tenant's."""

    name: str
    rows: int


async def wait_for_writers(db: Session, seconds: float) -> bool:
    """Wait until all transactions have ended that may have written before; False after so many seconds."""
    deadline = monotonic() + seconds
    while not (await db.one(IS_OLDEST, BooleanRow)).answer:
        if monotonic() > deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True


async def count_rows(db: Session, tenant: UUID) -> dict[str, int]:
    """Return the tenant's number of rows in each table with a `tenant_id`, also of disabled plugins."""
    names = [table.name for table in await db.all(TABLES, TableRow)]
    if not names:
        return {}
    counts = await db.all(union_all(*map(count_statement, names)), CountRow, {"tenant": tenant})
    return {one.name: one.rows for one in sorted(counts, key=lambda one: one.name)}


async def delete_rows(db: Session, tenant: UUID, tables: Collection[str]) -> None:
    """Delete the tenant's rows of these tables in one statement: foreign keys are checked at its end."""
    if tables:
        parts = [delete_statement(name).cte(f"part_{number}") for number, name in enumerate(tables)]
        await db.execute(select(literal(1)).add_cte(*parts), {"tenant": tenant})


def count_statement(name: str) -> Select[str, int]:
    rows = table_of(name)
    count = func.count(rows.c.tenant_id).label("rows")
    return select(literal(name).label("name"), count).where(rows.c.tenant_id == BY_TENANT)


def delete_statement(name: str) -> Delete:
    rows = table_of(name)
    return delete(rows).where(rows.c.tenant_id == BY_TENANT)


def table_of(name: str) -> TableClause:
    return table(name, column("tenant_id"), schema="public")
