"""Disable and enable principals, and end their sessions: first our own row, which every worker reads anew.

Each commits that before the provider is told, and logs who did it to whom.
"""

from __future__ import annotations

from uuid import UUID

from vinc_kernel import App, NotFound, Principal, Session, logger

from .. import repository
from ..directory import StoredPrincipals, administered
from ..errors import DisablesItself, SessionsNotEndable
from ..schemas import Stored
from . import telling


async def disable(app: App, principal_id: UUID, by: Principal | None = None) -> Stored:
    """Let nobody in as this principal; raises NotFound, and DisablesItself. `by` is None for an operator's command.

    Where a provider administers the issuer all sessions end as well, so that enabling brings no old token back. Of
    other issuers nobody would stamp a new number: the tokens would never be right again.
    """
    if by is not None and by.id == principal_id:
        raise DisablesItself("You would be signed out, and could not undo it.")
    async with app.platform_session("disable a principal", principal=by) as db:
        changed(app, db, await repository.disable(db, principal_id, administered(app)))
    return await noted(app, principal_id, "is disabled", by)


async def enable(app: App, principal_id: UUID, by: Principal | None = None) -> Stored:
    """Let the principal in again; raises NotFound."""
    async with app.platform_session("enable a principal", principal=by) as db:
        changed(app, db, await repository.enable(db, principal_id))
    return await noted(app, principal_id, "is enabled", by)


async def end_sessions(app: App, principal_id: UUID, by: Principal | None = None) -> Stored:
    """Believe none of the tokens that there are; raises NotFound, and SessionsNotEndable."""
    async with app.platform_session("end a principal's sessions", principal=by) as db:
        await end(app, db, principal_id)
    return await noted(app, principal_id, "has no session any more", by)


async def end_own_sessions(app: App, principal_id: UUID, by: Principal) -> Stored:
    """The same by somebody who need not be of the platform."""
    async with app.session() as db:
        await end(app, db, principal_id)
    return await noted(app, principal_id, "has no session any more", by)


async def end(app: App, db: Session, principal_id: UUID) -> None:
    found = await repository.one(db, principal_id)
    if found is None:
        raise NotFound
    if found.issuer != administered(app):
        raise SessionsNotEndable(
            "No identity provider that is enabled here administers this issuer: disable the principal instead."
        )
    changed(app, db, await repository.end_sessions(db, principal_id))


def changed(app: App, db: Session, stored: Stored | None) -> None:
    if stored is None:
        raise NotFound
    app.get(StoredPrincipals).invalidate(db, stored.key)


async def noted(app: App, principal_id: UUID, what: str, by: Principal | None) -> Stored:
    logger.info("the principal %s %s, by %s", principal_id, what, by.id if by else "an operator's command")
    return await telling.told(app, principal_id)
