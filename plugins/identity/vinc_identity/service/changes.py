"""Disable and enable principals, and end their sessions.

Each change is committed and logged first, and is in force on all workers; then the provider is synchronised.
"""

from __future__ import annotations

from uuid import UUID

from vinc_kernel import App, NotFound, Principal, Session, logger

from .. import repository
from ..directory import StoredPrincipals, get_managed_issuer
from ..errors import DisablesItself, SessionsNotEndable
from ..schemas import StoredPrincipal
from .provider_sync import sync_principal

DISABLED, ENABLED, SIGNED_OUT = "is disabled", "is enabled", "is signed out everywhere"


async def disable(app: App, principal_id: UUID, by: Principal | None = None) -> StoredPrincipal:
    """Disable a principal; raises NotFound and DisablesItself. `by` is None for an operator's command.

    Where the issuer is managed here its sessions end too, so that enabling does not make old tokens valid again. Other
    issuers would never write the new generation into tokens, and could not sign in again.
    """
    if by is not None and by.id == principal_id:
        raise DisablesItself("You would be signed out, and could not undo it.")
    async with app.platform_session("disable a principal", principal=by) as db:
        invalidate(app, db, await repository.disable(db, principal_id, get_managed_issuer(app)))
    return await log_and_sync(app, principal_id, DISABLED, by)


async def enable(app: App, principal_id: UUID, by: Principal | None = None) -> StoredPrincipal:
    """Enable a principal; raises NotFound."""
    async with app.platform_session("enable a principal", principal=by) as db:
        invalidate(app, db, await repository.enable(db, principal_id))
    return await log_and_sync(app, principal_id, ENABLED, by)


async def end_sessions(app: App, principal_id: UUID, by: Principal | None = None) -> StoredPrincipal:
    """Make all existing tokens invalid; raises NotFound and SessionsNotEndable."""
    async with app.platform_session("end a principal's sessions", principal=by) as db:
        await raise_generation(app, db, principal_id)
    return await log_and_sync(app, principal_id, SIGNED_OUT, by)


async def end_own_sessions(app: App, principal_id: UUID, by: Principal) -> StoredPrincipal:
    """End the caller's own sessions, which needs no platform role; raises SessionsNotEndable."""
    async with app.session() as db:
        await raise_generation(app, db, principal_id)
    return await log_and_sync(app, principal_id, SIGNED_OUT, by)


async def raise_generation(app: App, db: Session, principal_id: UUID) -> None:
    principal = await repository.get(db, principal_id)
    if principal is None:
        raise NotFound
    if principal.issuer != get_managed_issuer(app):
        raise SessionsNotEndable("No identity provider here manages this issuer: disable the principal instead.")
    invalidate(app, db, await repository.end_sessions(db, principal_id))


def invalidate(app: App, db: Session, principal: StoredPrincipal | None) -> None:
    if principal is None:
        raise NotFound
    app.get(StoredPrincipals).cache.invalidate(db, principal.key)


async def log_and_sync(app: App, principal_id: UUID, change: str, by: Principal | None) -> StoredPrincipal:
    logger.info("the principal %s %s, by %s", principal_id, change, by.id if by else "an operator's command")
    return await sync_principal(app, principal_id)
