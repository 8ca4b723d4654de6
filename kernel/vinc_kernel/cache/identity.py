"""Which database this is, for names in a Redis that several installations may share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from ..database.scope import Scope
from ..errors import Forbidden

if TYPE_CHECKING:
    from ..database.postgres import Postgres

# A cluster's number stays through failovers, and is another one where everything else has the same names.
FULL = text(
    "select system_identifier || '.' || oid as name from pg_control_system(), pg_database"
    " where datname = current_database()"
)
NAME = text("select current_database() as name")


@dataclass(frozen=True, slots=True)
class Row:
    """What the queries give."""

    name: str


async def identity(postgres: Postgres) -> str:
    """The cluster's number and the database's; where the former is not told, the database's name."""
    try:
        async with postgres.session(Scope(read_only=True)) as db:
            return (await db.one(FULL, Row)).name
    except Forbidden:  # revoked, as some who host PostgreSQL do
        async with postgres.session(Scope(read_only=True)) as db:
            return (await db.one(NAME, Row)).name
