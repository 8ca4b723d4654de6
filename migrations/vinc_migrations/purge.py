"""Drop a plugin's tables for good. Which are its own is recorded when its revisions run; names do not tell."""

from __future__ import annotations

from collections.abc import Collection

import psycopg
from psycopg import sql
from sqlalchemy.exc import DBAPIError

from vinc_kernel.database.versions import version_table
from vinc_kernel.errors import DatabaseError

from .catalog import owners
from .connection import (
    MigrationConnection,
    MigrationOptions,
    connect,
    exclusive_transaction,
    postgres_message,
    sqlstate,
)
from .operations import bypassing_row_level_security
from .run import require_roles

KINDS = """
select relname, relkind from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'f', 'm', 'v') and relname = any({names})
"""
DROPS = {"v": "drop view {names}", "m": "drop materialized view {names}", "f": "drop foreign table {names}"}
TABLES = "rp"  # also partitioned ones
IN_USE = "2BP01"  # dependent_objects_still_exist


def purge(
    url: str, plugin: str, options: MigrationOptions, *, needed_by: Collection[str], sure: bool
) -> dict[str, int]:
    """Drop the plugin's tables and views, and its version table; return the rows of each table.

    Without `sure` they are only counted. Raises DatabaseError, with nothing changed, while one of `needed_by` has
    tables in this database, or somebody's table or view is made upon one of these.
    """
    with connect(url) as connection:
        require_roles(connection, options)
        db = MigrationConnection(connection, plugin, options)
        try:
            with exclusive_transaction(db):
                refuse_needed(db, needed_by)
                mine = sorted(name for name, owner in owners(db).items() if owner == plugin)
                kinds = dict(db.execute(KINDS, {"names": sql.Literal(mine)}))
                counted = count(db, [name for name, kind in kinds.items() if kind in TABLES])
                if sure:
                    drop(db, kinds)
        except (DBAPIError, psycopg.Error) as error:
            is_in_use = sqlstate(error) == IN_USE
            what = "another plugin's table or view is made upon these" if is_in_use else postgres_message(error)
            raise DatabaseError(f"{plugin}: {what}; nothing was taken away") from error
    return counted


def refuse_needed(db: MigrationConnection, needed_by: Collection[str]) -> None:
    kept = set(owners(db).values()) & set(needed_by)
    if kept:
        names = ", ".join(sorted(kept))
        raise DatabaseError(
            f"{names} needs {db.plugin} and has tables here: vinc plugins purge {min(kept)} comes first"
        )


def count(db: MigrationConnection, tables: Collection[str]) -> dict[str, int]:
    """Count the rows of every tenant together: the owner of the tables would see none."""
    if not tables:
        return {}
    one = sql.SQL("select {}, count(*) from {}")
    counts = [one.format(sql.Literal(table), sql.Identifier("public", table)) for table in sorted(tables)]
    with bypassing_row_level_security(db):
        return dict(db.execute_composed(sql.Composed([sql.SQL(" union all ").join(counts), sql.SQL(" order by 1")])))


def drop(db: MigrationConnection, kinds: dict[str, str]) -> None:
    """Drop views first, then all tables at once, as they may point at each other; never what somebody else made."""
    for those in ("v", "m", "f", TABLES):
        if names := [sql.Identifier("public", name) for name, kind in kinds.items() if kind in those]:
            db.execute(DROPS.get(those, "drop table {names}"), {"names": sql.SQL(", ").join(names)})
    version = sql.Identifier("public", version_table(db.plugin))
    db.execute("drop table if exists {version}", {"version": version})
    db.execute("delete from public.vinc_table where plugin = {plugin}", {"plugin": sql.Literal(db.plugin)})
