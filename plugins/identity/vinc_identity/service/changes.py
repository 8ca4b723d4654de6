"""Disable and enable principals, and end their sessions: first our own row, that every worker reads anew.

The caller commits, and then calls `telling.told`.
"""

from __future__ import annotations

from uuid import UUID

from vinc_kernel import App, NotFound, Principal, Session

from .. import repository
from ..directory import StoredPrincipals, administered
from ..errors import DisablesItself, SessionsNotEndable
from ..schemas import Stored


async def disable(app: App, db: Session, principal_id: UUID, by: Principal | None = None) -> None:
    """Let nobody in as this principal; raises NotFound, and DisablesItself.

    Where a provider administers the issuer all sessions end as well, so that enabling brings no old token back. Of
    other issuers nobody would stamp a new number: the tokens would never be right again.
    """
    if by is not None and by.id == principal_id:
        raise DisablesItself("You would be signed out, and could not undo it.")
    changed(app, db, await repository.disable(db, principal_id, administered(app)))


async def enable(app: App, db: Session, principal_id: UUID) -> None:
    """Let the principal in again; raises NotFound."""
    changed(app, db, await repository.enable(db, principal_id))


async def end_sessions(app: App, db: Session, principal_id: UUID) -> None:
    """Believe none of the tokens that there are; raises NotFound, and SessionsNotEndable."""
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
    app.get(StoredPrincipals).forget(db, stored.key)
