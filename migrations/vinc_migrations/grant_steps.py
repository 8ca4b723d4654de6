"""Grant what each role may do with each table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import Connection, sql

from vinc_kernel.database.grants import RECORD, GrantDifference, grant_differences, grants_query
from vinc_kernel.database.roles import Roles

from .role_steps import Step, is_done, steps

# Before the kernel's tables are up to date, no table can be append-only.
NO_RECORD = sql.SQL("(select '' as name, false as append_only, null::text[] as blankable where false)").format()
NEVER = sql.SQL("select false").format()
# Asked also by users who may not look into the schema, for whom `to_regclass` fails.
RECORDED = """
select has_schema_privilege('public', 'usage') and has_table_privilege(c.oid, 'select') from pg_class c
join pg_attribute on attrelid = c.oid and attname = 'append_only'
where relnamespace = 'public'::regnamespace and relname = 'vinc_table'
"""


def table_record(connection: Connection[Any]) -> sql.Composable:
    """Return a query for which tables are append-only."""
    return RECORD if connection.execute(RECORDED).fetchone() else NO_RECORD


def table_steps(connection: Connection[Any], roles: Roles) -> Iterator[Step]:
    """Yield the grants on the owner's relations that still have to run, also before the kernel's tables are there."""
    if connection.execute(RECORDED).fetchone() == (False,):
        wrong = (
            f"the grants on tables are not compared: this user may not read vinc_table, a member of {roles.owner} may"
        )
        again = sql.SQL("-- run vinc db init once more as a member of {owner}").format(**roles.sql_names())
        yield Step(wrong=wrong, run=again, done=NEVER, optional=True)
        return
    query = grants_query(roles, table_record(connection))
    for difference in grant_differences(connection.execute(query).fetchall(), roles):
        yield Step(wrong=str(difference), run=grant(difference), done=NEVER)


def grant(difference: GrantDifference) -> sql.Composed:
    """Revoke everything, on columns too, and grant each role what it may do."""
    relation = sql.Identifier("public", difference.relation)
    roles = sql.SQL(", ").join(map(sql.Identifier, difference.allowed))
    statements = [sql.SQL("revoke all on {} from public, {}").format(relation, roles)]
    for role, privileges in difference.allowed.items():
        if privileges:
            named = sql.SQL(", ").join(map(sql.SQL, privileges))
            statements.append(sql.SQL("grant {} on {} to {}").format(named, relation, sql.Identifier(role)))
    return sql.SQL("; ").join(statements)


def undone(connection: Connection[Any], roles: Roles, database: str) -> list[Step]:
    """Return the steps that still have to run, in order. The connection is to that database, and in autocommit."""
    missing = [step for step in steps(roles, database) if not is_done(connection, step)]
    return [*missing, *table_steps(connection, roles)]
