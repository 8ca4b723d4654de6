"""What revisions may do that Alembic does not know: row level security, append-only tables, rows, indexes in use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from alembic import op
from psycopg import Connection as PsycopgConnection
from psycopg import sql
from sqlalchemy import event, text

from vinc_kernel.errors import DatabaseError

from .connection import MUTEX, MigrationConnection

COUNTED = ("INSERT", "UPDATE", "DELETE", "MERGE")
# `current_setting` gives '' and not NULL on a connection that once had a scope; the sub-select is evaluated once.
TENANT_POLICY = """
create policy vinc_tenant on {table} to {app}
  using (tenant_id = (select nullif(current_setting('vinc.tenant_id', true), '')::uuid));
"""
ENABLE = """
alter table {table} enable row level security;
alter table {table} force row level security;
create policy vinc_platform on {table} to {platform} using (true)
"""
DISABLE = """
drop policy if exists vinc_tenant on {table};
drop policy vinc_platform on {table};
alter table {table} no force row level security;
alter table {table} disable row level security
"""
HAS_TENANT = """
select exists (select from pg_attribute where attrelid = to_regclass({table_}) and attname = 'tenant_id'
  and not attisdropped)
"""
APPEND_ONLY = """
drop policy if exists vinc_blank on {table};
insert into public.vinc_table (name, plugin, append_only, blankable) values ({name}, {plugin}, {is_on}, {blankable})
on conflict (name) do update set append_only = excluded.append_only, blankable = excluded.blankable
"""
# It is narrower than the platform's other policy, and grants nothing by itself: the columns are granted besides.
BLANK = (
    "create policy vinc_blank on {table} as restrictive for update to {platform} using (true) with check ({all_null})"
)
NULLABLE = """
select attname from pg_attribute
where attrelid = {table_}::regclass and attnum > 0 and not attisdropped and not attnotnull
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


def current_connection() -> MigrationConnection:
    db: MigrationConnection = op.get_context().opts["vinc"]
    return db


def enable_row_level_security(table: str) -> None:
    """Let the application see and write its tenant's rows of this table and no others; the platform role sees all.

    A table without `tenant_id` is the platform's: the application sees nothing of it.
    """
    db, names = current_connection(), table_names(table)
    db.execute(TENANT_POLICY + ENABLE if db.execute(HAS_TENANT, names)[0][0] else ENABLE, names)


def disable_row_level_security(table: str) -> None:
    """Undo `enable_row_level_security`. Dropping the table needs no such call."""
    current_connection().execute(DISABLE, table_names(table))


def enable_append_only(table: str, *, blankable: Sequence[str] = ()) -> None:
    """Let nobody change or delete rows of this table; the platform role may set `blankable` columns to null.

    A statement that blanks one of these columns leaves all of them null. Called again, it replaces `blankable`.
    """
    db, names = current_connection(), table_names(table)
    record_append_only(db, table, is_on=True, blankable=blankable)
    may_be_null = {name for (name,) in db.execute(NULLABLE, names)}
    if wrong := [column for column in blankable if column not in may_be_null]:
        raise DatabaseError(f"{table}.{wrong[0]} cannot be blanked: there is no such column, or it is not null")
    if blankable:
        all_null = sql.SQL(" and ").join(sql.SQL("{} is null").format(sql.Identifier(column)) for column in blankable)
        db.execute(BLANK, {**names, "all_null": all_null})


def disable_append_only(table: str) -> None:
    """Undo `enable_append_only`. Dropping the table needs no such call."""
    record_append_only(current_connection(), table, is_on=False, blankable=())


def record_append_only(db: MigrationConnection, table: str, *, is_on: bool, blankable: Sequence[str]) -> None:
    if not table.startswith(f"{db.plugin}_"):
        raise DatabaseError(f"{table} is not a table of {db.plugin}: its own plugin says what may be done with it")
    record = {"name": table, "plugin": db.plugin, "is_on": is_on, "blankable": list(blankable)}
    db.execute(APPEND_ONLY, {**table_names(table), **{key: sql.Literal(value) for key, value in record.items()}})


def table_names(table: str) -> dict[str, sql.Composable]:
    identifier = sql.Identifier("public", table)
    return {"table": identifier, "table_": sql.Literal(identifier.as_string())}


@contextmanager
def bypass_row_level_security(*, beside: Sequence[str] = ()) -> Iterator[None]:
    """Act as the migrator, who sees every tenant's rows: for foreign keys and checks that have to look at them.

    Where that role does not bypass row level security, FORCE is lifted meanwhile: from this plugin's tables, and from
    those of others that `beside` names.
    """
    with bypassing_row_level_security(current_connection(), beside):
        yield


@contextmanager
def bypassing_row_level_security(db: MigrationConnection, beside: Sequence[str] = ()) -> Iterator[None]:
    """Do the same outside of a revision."""
    db.execute("set local role none")
    forced = [] if db.execute(BYPASSES)[0][0] else forced_tables(db, beside)
    for table in forced:
        db.execute("alter table {table} no force row level security", {"table": table})
    yield
    if forced:
        db.execute("set constraints all immediate")  # a table with pending checks cannot be altered
    for table in forced:
        db.execute("alter table {table} force row level security", {"table": table})
    db.execute("set local role {owner}")


def forced_tables(db: MigrationConnection, beside: Sequence[str]) -> list[sql.Identifier]:
    names = {"named": sql.Literal(list(beside)), "plugin": sql.Literal(db.plugin)}
    mine = sql.Literal(f"{db.plugin}\\_%")  # for tables of this very revision: nobody else's may be called so
    return [sql.Identifier("public", row[0]) for row in db.execute(FORCED, {**names, "mine": mine})]


@contextmanager
def data_migration(*, expect: int | str, beside: Sequence[str] = ()) -> Iterator[None]:
    """Act as the migrator, who sees every tenant's rows, and refuse when another number of rows was touched.

    `expect` is that number, or a query that tells it before the step. Counted are the rows of INSERT, UPDATE, DELETE
    and MERGE together. `beside` is as in `bypass_row_level_security`. A wrong number rolls the whole revision back.
    """
    db = current_connection()
    touched = 0

    def count(_c: object, cursor: Any, _s: str, _p: object, _x: object, _many: bool) -> None:  # noqa: FBT001  SQLAlchemy's
        nonlocal touched
        if (cursor.statusmessage or "").startswith(COUNTED):
            touched += max(cursor.rowcount, 0)

    with bypass_row_level_security(beside=beside):
        expected = expect if isinstance(expect, int) else int(db.connection.execute(text(expect)).scalar_one())
        event.listen(db.connection, "after_cursor_execute", count)
        try:
            yield
        finally:
            event.remove(db.connection, "after_cursor_execute", count)
        if touched != expected:
            raise DatabaseError(f"a data step touched {touched} rows, not {expected}; look at its conditions")


def create_index_concurrently(name: str, table: str, columns: Sequence[str], *, unique: bool = False) -> None:
    """Make an index while the table is written to; an invalid one that a failed attempt has left is dropped first.

    It cannot be part of a transaction, so it stands in a revision of its own, which may run again.
    """
    db = current_connection()
    connection = direct_connection(db, name)
    db.execute("select pg_advisory_lock({mutex})", {"mutex": sql.Literal(MUTEX)})  # ours already, now beyond the commit
    db.connection.commit()
    connection.autocommit = True
    make_index(connection, sql.Identifier("public", name), index_statement(name, table, columns, unique=unique), table)
    connection.autocommit = False
    db.begin()
    db.execute("select pg_advisory_unlock({mutex})", {"mutex": sql.Literal(MUTEX)})


def direct_connection(db: MigrationConnection, name: str) -> PsycopgConnection[Any]:
    """Return psycopg's connection, if nothing was changed on it yet and no pooler is between."""
    changed, backend = db.execute("select pg_current_xact_id_if_assigned() is not null, pg_backend_pid()")[0]
    if changed:
        raise DatabaseError(f"index {name}: it follows other changes; give it a revision of its own")
    if backend != db.driver.info.backend_pid:
        raise DatabaseError(
            f"index {name}: a pooler is in the way; set VINC_DATABASE_MIGRATION_URL to the server itself"
        )
    return db.driver


def index_statement(name: str, table: str, columns: Sequence[str], *, unique: bool) -> sql.Composed:
    return sql.SQL("create {unique} index concurrently {name} on {table} ({columns})").format(
        unique=sql.SQL("unique" if unique else ""),
        name=sql.Identifier(name),
        table=sql.Identifier("public", table),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
    )


def make_index(connection: PsycopgConnection[Any], name: sql.Identifier, statement: sql.Composed, table: str) -> None:
    names = {"index": sql.Literal(name.as_string()), "table": sql.Literal(sql.Identifier("public", table).as_string())}
    existing = connection.execute(sql.SQL(INDEX).format(**names)).fetchone()
    if existing and not existing[1]:
        raise DatabaseError(f"index {name.as_string()}: there is one of that name on another table; rename it")
    if existing and existing[0]:
        return  # made by an attempt that was killed before it could say so
    drop = sql.SQL("drop index concurrently if exists {}").format(name)
    connection.execute(drop)
    try:
        connection.execute(statement)
    except BaseException:
        if not connection.closed:
            connection.execute(drop)
            connection.autocommit = False
        raise
    created = connection.execute(sql.SQL(INDEX).format(**names)).fetchone()
    if not created or not created[0]:
        raise DatabaseError(f"index {name.as_string()}: it is invalid; run the migration again")
