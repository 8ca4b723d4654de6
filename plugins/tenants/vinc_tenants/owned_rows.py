"""The queries over all rows of one tenant, in the tables of every plugin; for a session above all tenants."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    DateTime,
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
select relname as name,
  exists (select from public.vinc_table t where t.name = relname and append_only) as is_append_only
from pg_class join pg_attribute on attrelid = pg_class.oid
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
  and attname = 'tenant_id' and not attisdropped
order by relname
""")
NOW = text("select clock_timestamp() as now")
# Of the role that the application connects as; a snapshot's oldest number would pass over one that has not written yet.
# Of a session whose activity is not tracked, nobody knows.
OLDER_TRANSACTIONS = text("""
select exists (select from pg_stat_activity
  where datname = current_database() and usename = session_user and pid <> pg_backend_pid()
  and (xact_start < :since or state = 'disabled')) as found
""").bindparams(bindparam("since", type_=DateTime(timezone=True)))
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedRows:
    """A tenant's rows by table: those that a purge deletes, and those of append-only tables, which stay."""

    deletable: Mapping[str, int]
    kept: Mapping[str, int]

    @property
    def by_table(self) -> dict[str, int]:
        return {**self.deletable, **self.kept}


async def get_time(db: Session) -> datetime:
    """Return the time on the database's clock."""
    now: datetime = (await db.one(NOW, dict[str, Any]))["now"]
    return now


async def has_older_transactions(db: Session, since: datetime) -> bool:
    """Return whether transactions of the application still run that began before this time.

    The session must not be above all tenants: that role does not see when the others' transactions began.
    """
    return bool((await db.one(OLDER_TRANSACTIONS, dict[str, Any], {"since": since}))["found"])


async def count_rows(db: Session, tenant: UUID) -> OwnedRows:
    """Return the tenant's number of rows in each table with a `tenant_id`, also of disabled plugins."""
    append_only = {table["name"]: table["is_append_only"] for table in await db.all(TABLES, dict[str, Any])}
    if not append_only:
        return OwnedRows(deletable={}, kept={})
    found = await db.all(union_all(*map(count_statement, append_only)), dict[str, Any], {"tenant": tenant})
    counts = {one["name"]: one["rows"] for one in found}
    return OwnedRows(
        deletable={name: counts[name] for name in sorted(counts) if not append_only[name]},
        kept={name: counts[name] for name in sorted(counts) if append_only[name]},
    )


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
