"""Update or delete one row if its version is an expected one, in one statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import bindparam, delete, select, update

from ..database.session import DatabaseSession
from ..errors import NotFound, PreconditionFailed, Problem
from .etags import Expected

R = TypeVar("R")


async def update_one(  # noqa: PLR0913, PLR0917  each is another thing, and all are needed
    db: DatabaseSession,
    model: Any,
    id: UUID,  # noqa: A002  what everybody calls it
    expected: Expected,
    values: Mapping[str, Any],
    row: Callable[..., R],
) -> R:
    """Return the updated row; raises NotFound, or PreconditionFailed for another version."""
    statement = update(model).where(model.id == id, *expected.condition(model, id)).values(**values).returning(model)
    found = await db.one_or_none(statement, row)
    if found is None:
        raise await refusal(db, model, id)
    return found


async def delete_one(db: DatabaseSession, model: Any, id: UUID, expected: Expected) -> None:  # noqa: A002  as above
    """Delete the row; raises NotFound, or PreconditionFailed for another version."""
    if not await db.execute(delete(model).where(model.id == id, *expected.condition(model, id))):
        raise await refusal(db, model, id)


async def refusal(db: DatabaseSession, model: Any, id: UUID) -> Problem:  # noqa: A002  as above
    """Return why no row has this id and version; another tenant's row is not found."""
    if await db.one_or_none(select(model.id).where(model.id == bindparam("id")), dict, {"id": id}) is None:
        return NotFound()
    return PreconditionFailed("It has changed since: read it again, and send its ETag.")
