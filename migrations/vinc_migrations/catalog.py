"""What the database records: whose tables there are, and whether row level security guards them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from psycopg import sql

from vinc_kernel.database.catalog_checks import ROWS, CatalogCheck, Finding, catalog_query, to_findings
from vinc_kernel.errors import DatabaseError

from .connection import MigrationConnection
from .functions import FUNCTIONS
from .keys import KEYS

FINDINGS = (*ROWS, *KEYS, *FUNCTIONS)
VERSION = "create table if not exists public.{table} (version_num varchar(32) primary key)"
RELATIONS = r"""
select relname, pg_get_userbyid(relowner), oid from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm')
  and relname not in ('vinc_table', 'vinc_change') and relname not like 'vinc\_version\_%'
"""
RENAME = "update public.vinc_table set name = {new} where name = {name}"
OWNED = "select name, plugin from public.vinc_table"


def create_version_table(db: MigrationConnection, version_table: str) -> None:
    """Create a history's version table where it is missing, as its owner."""
    existing = "select to_regclass({version}) is not null"
    if not db.execute(existing, {"version": sql.Literal(f"public.{version_table}")})[0][0]:
        db.execute(VERSION, {"table": sql.Identifier(version_table)})


class Relation(NamedTuple):
    """A table or view: the role that owns it, and what it keeps when it is renamed."""

    owner: str
    oid: int


def relations(db: MigrationConnection) -> dict[str, Relation]:
    """Return tables and views by name; the kernel's own are left out."""
    return {name: Relation(owner, oid) for name, owner, oid in db.execute(RELATIONS)}


def owners(db: MigrationConnection) -> dict[str, str]:
    """Return tables and views with the plugin that made each. A name's prefix does not tell: this record does."""
    exists = db.execute("select to_regclass('public.vinc_table') is not null")[0][0]
    return dict(db.execute(OWNED)) if exists else {}


def record(db: MigrationConnection, before: dict[str, Relation]) -> None:
    """Record what a revision made and dropped; raises DatabaseError where it was not the plugin's to make or drop."""
    after, known = relations(db), owners(db)
    names = {relation.oid: name for name, relation in after.items()}
    for name in sorted(before.keys() - after.keys()):
        if known.get(name, db.plugin) != db.plugin:
            raise DatabaseError(f"it drops {name}, which belongs to {known[name]}; leave it")
        new = names.get(before[name].oid)
        values = {"name": sql.Literal(name), "new": sql.Literal(new)}
        db.execute(RENAME if new and new not in known else "delete from public.vinc_table where name = {name}", values)
    for name in sorted(after.keys() - before.keys()):
        if not name.startswith(f"{db.plugin}_"):
            raise DatabaseError(
                f"it makes {name}, which is not named after the plugin; begin its name with '{db.plugin}_'"
            )
        if after[name].owner != db.roles.owner:
            raise DatabaseError(f"it makes {name} as the migrator; make it outside of the `with`, as its owner")
        values = {"name": sql.Literal(name), "plugin": sql.Literal(db.plugin)}
        db.execute(
            "insert into public.vinc_table (name, plugin) values ({name}, {plugin}) on conflict do nothing", values
        )


def catalog_findings(db: MigrationConnection, checks: Sequence[CatalogCheck] = FINDINGS) -> list[Finding]:
    """Return every table that row level security does not guard as it should, and what keys and functions endanger."""
    return to_findings(db.execute_composed(catalog_query(checks, db.roles)), checks, db.roles)
