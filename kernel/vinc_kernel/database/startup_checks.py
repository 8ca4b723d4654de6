"""Look at what keeps tenants apart before the first request: the server, the role of the application, every table."""

from __future__ import annotations

import logging
from typing import Any

from psycopg import AsyncConnection

from ..errors import DatabaseError
from .catalog_checks import ROWS, USER, statement, told
from .grants import granted, grants_asked
from .minimum_version import below_minimum
from .roles import Roles

logger = logging.getLogger("vinc.database")


async def refuse_unsafe_database(connection: AsyncConnection[Any], roles: Roles, *, production: bool) -> None:
    """Raise DatabaseError in production for whatever could show a tenant another's rows; elsewhere warn.

    One line each. Two statements, whatever the number of tables.
    """
    found = await dangers(connection, roles)
    if found and production:
        raise DatabaseError("\n".join(found))
    for line in found:
        logger.warning("%s", line)


async def dangers(connection: AsyncConnection[Any], roles: Roles) -> list[str]:
    """One line for each, with its place and its cure."""
    outdated = below_minimum(connection.info.server_version)
    questions = (*USER, *ROWS)
    cursor = await connection.execute(statement(questions, roles))
    flaws = told(await cursor.fetchall(), questions, roles)
    cursor = await connection.execute(grants_asked(roles))
    grants = [one for one in granted(await cursor.fetchall(), roles) if one.extra]
    return [*([outdated] if outdated else []), *map(str, flaws), *(f"{one}; run vinc db init" for one in grants)]
