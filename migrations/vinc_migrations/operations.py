"""What revisions may do that Alembic does not know: enable row level security, touch rows, index beside the traffic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from alembic import op
from psycopg import Connection as Line
from psycopg import sql
from sqlalchemy import event, text

from vinc_kernel.errors import DatabaseError

from .unit import MUTEX, Unit

COUNTED = ("INSERT", "UPDATE", "DELETE", "MERGE")
# `current_setting` gives '' and not NULL on a connection that once had a scope; the sub-select is evaluated once.
ENABLE = """
alter table {table} enable row level security;
alter table {table} force row level security;
create policy vinc_tenant on {table} to {app}
  using (tenant_id = (select nullif(current_setting('vinc.tenant_id', true), '')::uuid));
create policy vinc_platform on {table} to {platform} using (true)
"""
DISABLE = """
drop policy vinc_tenant on {table};
drop policy vinc_platform on {table};
alter table {table} no force row level security;
alter table {table} disable row level security
"""
# Of the plugin whose revision runs, what it has by now, and of others what the revision names.
FORCED = """
select relname from pg_class c where relnamespace = 'public'::regnamespace and relforcerowsecurity
  and relowner = to_regrole({owner_})::oid and (relname = any({named})
    or coalesce((select plugin = {plugin} from public.vinc_table where name = relname), relname like {mine}))
order by relname
"""
BYPASSES = "select rolsuper or rolbypassrls from pg_roles where rolname = current_user"
INDEX = """
select indisvalid, indrelid = to_regclass({table}) from pg_index where indexrelid = to_regclass({index})
"""


def unit_of_revision() -> Unit:
    unit: Unit = op.get_context().opts["vinc"]
    return unit


def enable_row_level_security(table: str) -> None:
    """Let the application see and write its tenant's rows of this table and no others; the platform role sees all."""
    unit_of_revision().run(ENABLE, {"table": sql.Identifier("public", table)})


def disable_row_level_security(table: str) -> None:
    """Undo `enable_row_level_security`. Dropping the table needs no such call."""
    unit_of_revision().run(DISABLE, {"table": sql.Identifier("public", table)})


@contextmanager
def bypass_row_level_security(*, beside: Sequence[str] = ()) -> Iterator[None]:
    """Act as the migrator, who sees every tenant's rows: for foreign keys and checks that have to look at them.

    Where that role does not bypass row level security, FORCE is lifted meanwhile: from this plugin's tables, and from
    those of others that `beside` names.
    """
    with bypassing_row_level_security(unit_of_revision(), beside):
        yield


@contextmanager
def bypassing_row_level_security(unit: Unit, beside: Sequence[str] = ()) -> Iterator[None]:
    """The same outside of a revision."""
    unit.run("set local role none")
    forced = [] if unit.run(BYPASSES)[0][0] else forced_tables(unit, beside)
    for table in forced:
        unit.run("alter table {table} no force row level security", {"table": table})
    yield
    if forced:
        unit.run("set constraints all immediate")  # a table with pending checks cannot be altered
    for table in forced:
        unit.run("alter table {table} force row level security", {"table": table})
    unit.run("set local role {owner}")


def forced_tables(unit: Unit, beside: Sequence[str]) -> list[sql.Identifier]:
    words = {"named": sql.Literal(list(beside)), "plugin": sql.Literal(unit.plugin)}
    mine = sql.Literal(f"{unit.plugin}\\_%")  # for tables of this very revision: nobody else's may be called so
    return [sql.Identifier("public", row[0]) for row in unit.run(FORCED, {**words, "mine": mine})]


@contextmanager
def data_migration(*, expect: int | str, beside: Sequence[str] = ()) -> Iterator[None]:
    """Act as the migrator, who sees every tenant's rows, and refuse when another number of rows was touched.

    `expect` is that number, or a query that tells it before the step. Counted are the rows of INSERT, UPDATE, DELETE
    and MERGE together. `beside` is as in `bypass_row_level_security`. A wrong number rolls the whole revision back.
    """
    unit = unit_of_revision()
    touched = 0

    def count(_c: object, cursor: Any, _s: str, _p: object, _x: object, _many: bool) -> None:  # noqa: FBT001  SQLAlchemy's
        nonlocal touched
        if (cursor.statusmessage or "").startswith(COUNTED):
            touched += max(cursor.rowcount, 0)

    with bypass_row_level_security(beside=beside):
        expected = expect if isinstance(expect, int) else int(unit.connection.execute(text(expect)).scalar_one())
        event.listen(unit.connection, "after_cursor_execute", count)
        try:
            yield
        finally:
            event.remove(unit.connection, "after_cursor_execute", count)
        if touched != expected:
            raise DatabaseError(f"a data step touched {touched} rows, not {expected}; look at its conditions")


def create_index_concurrently(name: str, table: str, columns: Sequence[str], *, unique: bool = False) -> None:
    """Make an index while the table is written to; an invalid one that a failed attempt has left is dropped first.

    It cannot be part of a transaction, so it stands in a revision of its own, which may run again.
    """
    unit = unit_of_revision()
    line = direct_line(unit, name)
    unit.run("select pg_advisory_lock({mutex})", {"mutex": sql.Literal(MUTEX)})  # ours already, now beyond the commit
    unit.connection.commit()
    line.autocommit = True
    make_index(line, sql.Identifier("public", name), index_statement(name, table, columns, unique=unique), table)
    line.autocommit = False
    unit.begin()
    unit.run("select pg_advisory_unlock({mutex})", {"mutex": sql.Literal(MUTEX)})


def direct_line(unit: Unit, name: str) -> Line[Any]:
    """The connection below, if nothing was changed on it yet and no pooler is between."""
    driver = unit.connection.connection.driver_connection
    if not isinstance(driver, Line):
        raise DatabaseError(f"index {name}: migrations work over psycopg alone")
    changed, backend = unit.run("select pg_current_xact_id_if_assigned() is not null, pg_backend_pid()")[0]
    if changed:
        raise DatabaseError(f"index {name}: it follows other changes; give it a revision of its own")
    if backend != driver.info.backend_pid:
        raise DatabaseError(
            f"index {name}: a pooler is in the way; set VINC_DATABASE_MIGRATION_URL to the server itself"
        )
    return driver


def index_statement(name: str, table: str, columns: Sequence[str], *, unique: bool) -> sql.Composed:
    return sql.SQL("create {unique} index concurrently {name} on {table} ({columns})").format(
        unique=sql.SQL("unique" if unique else ""),
        name=sql.Identifier(name),
        table=sql.Identifier("public", table),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
    )


def make_index(line: Line[Any], name: sql.Identifier, statement: sql.Composed, table: str) -> None:
    words = {"index": sql.Literal(name.as_string()), "table": sql.Literal(sql.Identifier("public", table).as_string())}
    found = line.execute(sql.SQL(INDEX).format(**words)).fetchone()
    if found and not found[1]:
        raise DatabaseError(f"index {name.as_string()}: there is one of that name on another table; rename it")
    if found and found[0]:
        return  # made by an attempt that was killed before it could say so
    drop = sql.SQL("drop index concurrently if exists {}").format(name)
    line.execute(drop)
    try:
        line.execute(statement)
    except BaseException:
        if not line.closed:
            line.execute(drop)
            line.autocommit = False
        raise
    made = line.execute(sql.SQL(INDEX).format(**words)).fetchone()
    if not made or not made[0]:
        raise DatabaseError(f"index {name.as_string()}: it is invalid; run the migration again")
