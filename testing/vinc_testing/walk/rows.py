"""The rows of the database, as a superuser sees them: what nobody else's request may change."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from psycopg import sql

from ..databases import TABLES, Database

OWNED = r"""
select relname from pg_class join pg_attribute on attrelid = pg_class.oid and attname = 'tenant_id' and not attisdropped
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition order by 1
"""
CONTENT = "select count(*), coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from {} t"
TENANT_ROW = ("tenants_tenant", "id")
Rows = Mapping[str, tuple[int, str]]


def tenant_rows(database: Database, tenant: UUID) -> Rows:
    """Return by table how many rows this tenant has, and a digest of them."""
    keys = [(str(table), "tenant_id") for (table,) in database.admin.execute(OWNED).fetchall()]
    if TENANT_ROW[0] in database.tables:
        keys.append(TENANT_ROW)
    owned = sql.SQL(f"{CONTENT} where {{}} = %s")
    found: dict[str, tuple[int, str]] = {}
    for table, key in keys:
        query = owned.format(sql.Identifier(table), sql.Identifier(key))
        count, content = database.admin.execute(query, [tenant]).fetchall()[0]
        found[table] = (count, content)
    return found


def all_rows(database: Database) -> Rows:
    """Return by table how many rows there are, whoever they belong to, and a digest of them."""
    found: dict[str, tuple[int, str]] = {}
    for (table,) in database.admin.execute(TABLES).fetchall():
        count, content = database.admin.execute(sql.SQL(CONTENT).format(sql.Identifier(table))).fetchall()[0]
        found[str(table)] = (count, content)
    return found


def changed_tables(before: Rows, after: Rows) -> list[str]:
    """Describe what has changed between two snapshots, a line for each table."""
    return [
        f"{table}: {before[table][0]} rows before, {after[table][0]} after"
        if before[table][0] != after[table][0]
        else f"{table}: its rows are not what they were"
        for table in sorted(before)
        if before[table] != after[table]
    ]
