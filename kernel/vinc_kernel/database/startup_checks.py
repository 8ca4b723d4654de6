"""Check what keeps tenants apart before the first request: the server, the role of the application, every table."""

from __future__ import annotations

import logging
from typing import Any

from psycopg import AsyncConnection
from psycopg.errors import UndefinedTable

from ..errors import DatabaseError
from .catalog_checks import ROWS, USER, catalog_query, to_findings
from .grants import grant_differences, grants_query
from .minimum_version import below_minimum
from .roles import Roles
from .versions import KERNEL, KERNEL_REVISIONS, read_states

logger = logging.getLogger("vinc.database")


async def refuse_unsafe_database(connection: AsyncConnection[Any], roles: Roles, *, production: bool) -> None:
    """Raise DatabaseError in production for whatever could show a tenant another's rows; elsewhere warn.

    One line each. Four statements, whatever the number of tables.
    """
    found = await unsafe_findings(connection, roles)
    if found and production:
        raise DatabaseError("\n".join(found))
    for line in found:
        logger.warning("%s", line)


async def unsafe_findings(connection: AsyncConnection[Any], roles: Roles) -> list[str]:
    """Return one line for each, with its place and its cure; tables are checked once the kernel's are up to date."""
    outdated = below_minimum(connection.info.server_version)
    found = [outdated] if outdated else []
    (kernel,) = await read_states(connection, {KERNEL: KERNEL_REVISIONS})
    checks = USER if kernel.is_behind else (*USER, *ROWS)
    try:
        cursor = await connection.execute(catalog_query(checks, roles))
    except UndefinedTable as error:
        raise DatabaseError(f"{error.diag.message_primary}: the kernel's table is missing; restore it") from None
    found += map(str, to_findings(await cursor.fetchall(), checks, roles))
    if kernel.is_behind:
        return [*found, f"{KERNEL}: {kernel}; run: vinc db upgrade"]
    cursor = await connection.execute(grants_query(roles))
    differences = grant_differences(await cursor.fetchall(), roles)
    return [*found, *(f"{one}; run vinc db init" for one in differences if one.extra)]
