"""Look at who the application is to PostgreSQL: for a role with more rights than its own, row level security is off."""

from __future__ import annotations

import logging
from typing import Any

from psycopg import AsyncConnection

from ..errors import DatabaseError
from .roles import Roles

logger = logging.getLogger("vinc.database")
STANDING = """
select current_user, rolsuper, rolbypassrls,
    exists (select from pg_roles o where o.rolname = %s and pg_has_role(current_user, o.oid, 'member'))
from pg_roles where rolname = current_user
"""


async def refuse_powerful_role(connection: AsyncConnection[Any], roles: Roles, *, production: bool) -> None:
    """Raise DatabaseError in production for a role that sees every tenant's rows; elsewhere warn."""
    cursor = await connection.execute(STANDING, [roles.owner])
    row = await cursor.fetchone()
    if row is None:
        return
    name, is_superuser, bypasses, owns = row
    whys = {"is a superuser": is_superuser, "bypasses row level security": bypasses, f"is {roles.owner}'s": owns}
    if told := " and ".join(why for why, holds in whys.items() if holds):
        message = (
            f"the role {name} in VINC_DATABASE_URL {told}, so nothing keeps tenants apart: "
            f"connect as {roles.app}, which vinc db init makes"
        )
        if production:
            raise DatabaseError(message)
        logger.warning("%s", message)
