"""Every query over the rows of one tenant, whichever plugin's they are; for a session above all tenants."""

import asyncio
from collections.abc import Collection, Mapping
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

THE_TENANT = bindparam("tenant", type_=Uuid())
# Partitions are left out: their rows are their parents', and nobody may read them directly.
TABLES = text("""
select relname as name,
  exists (select from public.vinc_table t where t.name = relname and append_only) as is_append_only
from pg_class join pg_attribute on attrelid = pg_class.oid
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
  and attname = 'tenant_id' and not attisdropped
order by relname
""")
# Whether nobody still writes who began before this transaction; the first time this gives it its number.
ALONE = text("select pg_current_xact_id() = pg_snapshot_xmin(pg_current_snapshot()) as answer")
SECONDS_BETWEEN_LOOKS = 0.05


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a question of yes or no."""

    answer: bool


@dataclass(frozen=True, slots=True)
class Owned:
    """A table with a `tenant_id`; rows of an append-only one cannot be deleted."""

    name: str
    is_append_only: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """How many rows of a table are the tenant's."""

    name: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedRows:
    """A tenant's rows by table: those that a purge deletes, and those of append-only tables, which stay."""

    deletable: Mapping[str, int]
    kept: Mapping[str, int]

    @property
    def by_table(self) -> dict[str, int]:
        return {**self.deletable, **self.kept}


async def others_are_done(db: Session, seconds: float) -> bool:
    """Wait until all have ended who may have written before; whether that was so in time."""
    deadline = monotonic() + seconds
    while not (await db.one(ALONE, Answered)).answer:
        if monotonic() > deadline:
            return False
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
    return True


async def count_rows(db: Session, tenant: UUID) -> OwnedRows:
    """Count the tenant's rows in each table that knows tenants, those of disabled plugins too."""
    append_only = {table.name: table.is_append_only for table in await db.all(TABLES, Owned)}
    rows = await db.all(union_all(*map(counting, append_only)), Counted, {"tenant": tenant}) if append_only else []
    rows.sort(key=lambda one: one.name)
    return OwnedRows(
        deletable={one.name: one.rows for one in rows if not append_only[one.name]},
        kept={one.name: one.rows for one in rows if append_only[one.name]},
    )


async def delete_rows(db: Session, tenant: UUID, tables: Collection[str]) -> None:
    """Delete the tenant's rows of these tables in one statement: foreign keys are looked at when all are gone."""
    if tables:
        parts = [deletion(name).cte(f"part_{number}") for number, name in enumerate(tables)]
        await db.execute(select(literal(1)).add_cte(*parts), {"tenant": tenant})


def counting(name: str) -> Select[str, int]:
    rows = owned(name)
    count = func.count(rows.c.tenant_id).label("rows")
    return select(literal(name).label("name"), count).where(rows.c.tenant_id == THE_TENANT)


def deletion(name: str) -> Delete:
    rows = owned(name)
    return delete(rows).where(rows.c.tenant_id == THE_TENANT)


def owned(name: str) -> TableClause:
    """A table by its name in the catalog, with the column that all of these have."""
    return table(name, column("tenant_id"), schema="public")
