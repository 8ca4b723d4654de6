"""The rows of one tenant, as a superuser sees them: what nobody else's request may change."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from psycopg import sql

from ..databases import Database

OWNED = r"""
select relname from pg_class join pg_attribute on attrelid = pg_class.oid and attname = 'tenant_id' and not attisdropped
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition order by 1
"""
ROWS = "select count(*), coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from {} t where {} = %s"
ITSELF = ("tenants_tenant", "id")  # the row of the tenant
Rows = Mapping[str, tuple[int, str]]


def rows_of(database: Database, tenant: UUID) -> Rows:
    """By table the number of rows that are this tenant's, and what is in them in one number."""
    keys = [(str(table), "tenant_id") for (table,) in database.admin.execute(OWNED).fetchall()]
    if ITSELF[0] in database.tables:
        keys.append(ITSELF)
    found: dict[str, tuple[int, str]] = {}
    for table, key in keys:
        query = sql.SQL(ROWS).format(sql.Identifier(table), sql.Identifier(key))
        count, content = database.admin.execute(query, [tenant]).fetchall()[0]
        found[table] = (count, content)
    return found


def differences(before: Rows, after: Rows) -> list[str]:
    """What has changed between two looks, a line for each table."""
    return [
        f"{table}: {before[table][0]} rows before, {after[table][0]} after"
        if before[table][0] != after[table][0]
        else f"{table}: its rows are not what they were"
        for table in sorted(before)
        if before[table] != after[table]
    ]
