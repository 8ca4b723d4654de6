"""Grant what each role may do with each table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import Connection, sql

from vinc_kernel.database.grants import Granted, granted, grants_asked
from vinc_kernel.database.roles import Roles

from .role_steps import Step, is_done, steps

NEVER = sql.SQL("select false").format()


def table_steps(connection: Connection[Any], roles: Roles) -> Iterator[Step]:
    """The grants on the owner's relations that still have to run."""
    for one in granted(connection.execute(grants_asked(roles)).fetchall(), roles):
        yield Step(wrong=str(one), run=grant(one), done=NEVER)


def grant(wanted: Granted) -> sql.Composed:
    """Take everything away, and give each role what it may do."""
    relation = sql.Identifier("public", wanted.relation)
    roles = sql.SQL(", ").join(map(sql.Identifier, wanted.allowed))
    given = [sql.SQL("revoke all on {} from public, {}").format(relation, roles)]
    for role, rights in wanted.allowed.items():
        if rights:
            named = sql.SQL(", ").join(map(sql.SQL, rights))
            given.append(sql.SQL("grant {} on {} to {}").format(named, relation, sql.Identifier(role)))
    return sql.SQL("; ").join(given)


def undone(connection: Connection[Any], roles: Roles, database: str) -> list[Step]:
    """The steps that still have to run, in order. The connection is to that database, and in autocommit."""
    missing = [step for step in steps(roles, database) if not is_done(connection, step)]
    return [*missing, *table_steps(connection, roles)]
