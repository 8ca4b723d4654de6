"""What the database records: whose tables there are, and whether row level security guards them."""

from __future__ import annotations

from psycopg import sql

from vinc_kernel.database.catalog_checks import ROWS, Finding, catalog_query, to_findings
from vinc_kernel.errors import DatabaseError

from .connection import MigrationConnection
from .keys import KEYS

VERSION = "create table if not exists public.{table} (version_num varchar(32) primary key)"
RELATIONS = r"""
select relname, pg_get_userbyid(relowner) from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm')
  and relname not in ('vinc_table', 'vinc_change') and relname not like 'vinc\_version\_%'
"""
OWNED = "select name, plugin from public.vinc_table"


def create_version_table(db: MigrationConnection, version_table: str) -> None:
    """Create a history's version table where it is missing, as its owner."""
    existing = "select to_regclass({version}) is not null"
    if not db.execute(existing, {"version": sql.Literal(f"public.{version_table}")})[0][0]:
        db.execute(VERSION, {"table": sql.Identifier(version_table)})


def relations(db: MigrationConnection) -> dict[str, str]:
    """Return tables and views with the role that owns each; the kernel's own are left out."""
    return dict(db.execute(RELATIONS))


def owners(db: MigrationConnection) -> dict[str, str]:
    """Return tables and views with the plugin that made each. A name's prefix does not tell: this record does."""
    exists = db.execute("select to_regclass('public.vinc_table') is not null")[0][0]
    return dict(db.execute(OWNED)) if exists else {}


def record(db: MigrationConnection, before: dict[str, str]) -> None:
    """Record what a revision made and dropped; raises DatabaseError where it was not the plugin's to make or drop."""
    after, known = relations(db), owners(db)
    for name in sorted(before.keys() - after.keys()):
        if known.get(name, db.plugin) != db.plugin:
            raise DatabaseError(f"it drops {name}, which belongs to {known[name]}; leave it")
        db.execute("delete from public.vinc_table where name = {name}", {"name": sql.Literal(name)})
    for name in sorted(after.keys() - before.keys()):
        if not name.startswith(f"{db.plugin}_"):
            raise DatabaseError(f"it makes {name}, which is not named after the plugin; call it {db.plugin}_...")
        if after[name] != db.roles.owner:
            raise DatabaseError(f"it makes {name} as the migrator; make it outside of the `with`, as its owner")
        names = {"name": sql.Literal(name), "plugin": sql.Literal(db.plugin)}
        db.execute(
            "insert into public.vinc_table (name, plugin) values ({name}, {plugin}) on conflict do nothing", names
        )


def catalog_findings(db: MigrationConnection) -> list[Finding]:
    """Return every table that row level security does not guard as it should, and every key that crosses tenants."""
    checks = (*ROWS, *KEYS)
    return to_findings(db.execute_composed(catalog_query(checks, db.roles)), checks, db.roles)
