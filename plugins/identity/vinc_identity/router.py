"""The routes of principals: the caller's own for everybody who is signed in, all of them for the platform."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from vinc_kernel import (
    CurrentApp,
    CurrentContext,
    CurrentPrincipal,
    NotFound,
    Session,
    platform_only,
    platform_session,
    signed_in,
)
from vinc_kernel.rest import ListQuery, Page

from . import repository
from .directory import get_managed_issuer
from .repository import LISTING
from .schemas import Me, PrincipalOut, SessionsEnded, StoredPrincipal
from .service import changes
from .service.presentation import require_id, to_me, to_principal_out

router = APIRouter(prefix="/identity", tags=["identity"], dependencies=[signed_in])


@router.get("/me")
async def read_me(caller: CurrentPrincipal, context: CurrentContext) -> Me:
    """Return the caller as the token is understood: role, tenants, and when it expires."""
    return to_me(caller, context.tenant)


@router.post("/sessions/end")
async def end_own_sessions(app: CurrentApp, caller: CurrentPrincipal) -> SessionsEnded:
    """End all sessions of the caller, including this one; the caller must sign in again."""
    principal = await changes.end_own_sessions(app, require_id(caller), caller)
    return SessionsEnded(provider=principal.provider_state(get_managed_issuer(app)))


@router.get("/principals")
async def list_principals(
    app: CurrentApp,
    db: Annotated[Session, platform_session("look through principals")],
    query: Annotated[ListQuery, LISTING.query],
) -> Page[PrincipalOut]:
    """List all principals that have signed in or were registered; `email` is in lower case."""
    issuer = get_managed_issuer(app)
    return await repository.page(db, query, lambda **columns: to_principal_out(issuer, StoredPrincipal(**columns)))


@router.get("/principals/{principal_id}")
async def read_principal(
    principal_id: UUID, app: CurrentApp, db: Annotated[Session, platform_session("look at a principal")]
) -> PrincipalOut:
    """Return one principal."""
    principal = await repository.get(db, principal_id)
    if principal is None:
        raise NotFound
    return to_principal_out(get_managed_issuer(app), principal)


# These commit before the identity provider is called, so they do not use the request's session.
@router.post("/principals/{principal_id}/disable", dependencies=[platform_only])
async def disable_principal(principal_id: UUID, app: CurrentApp, caller: CurrentPrincipal) -> PrincipalOut:
    """Disable a principal on all workers; its sessions end."""
    return to_principal_out(get_managed_issuer(app), await changes.disable(app, principal_id, caller))


@router.post("/principals/{principal_id}/enable", dependencies=[platform_only])
async def enable_principal(principal_id: UUID, app: CurrentApp, caller: CurrentPrincipal) -> PrincipalOut:
    """Enable a principal, who must sign in again."""
    return to_principal_out(get_managed_issuer(app), await changes.enable(app, principal_id, caller))


@router.post("/principals/{principal_id}/end-sessions", dependencies=[platform_only])
async def end_sessions(principal_id: UUID, app: CurrentApp, caller: CurrentPrincipal) -> PrincipalOut:
    """End all sessions of a principal, who must sign in again."""
    return to_principal_out(get_managed_issuer(app), await changes.end_sessions(app, principal_id, caller))
