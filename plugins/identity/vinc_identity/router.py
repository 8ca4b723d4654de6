"""Principals over HTTP: oneself for everybody who is signed in, all of them for the platform."""

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
from .directory import administered
from .repository import LISTING
from .schemas import Me, PrincipalOut, SessionsEnded, Stored
from .service import changes
from .service.shown import id_of, me, shown

router = APIRouter(prefix="/identity", tags=["identity"], dependencies=[signed_in])


@router.get("/me")
async def read_me(caller: CurrentPrincipal, context: CurrentContext) -> Me:
    """The caller as understood: who, with which role, in which tenants, and until when."""
    return me(caller, context.tenant)


@router.post("/sessions/end")
async def end_own_sessions(app: CurrentApp, caller: CurrentPrincipal) -> SessionsEnded:
    """End all of the caller's sessions, this one too; they sign in anew."""
    stored = await changes.end_own_sessions(app, id_of(caller), caller)
    return SessionsEnded(provider=stored.provider(administered(app)))


@router.get("/principals")
async def list_principals(
    app: CurrentApp,
    db: Annotated[Session, platform_session("look through principals")],
    query: Annotated[ListQuery, LISTING.query],
) -> Page[PrincipalOut]:
    """Everybody who has come in, or was registered; `email` is written in small letters."""
    issuer = administered(app)
    return await repository.page(db, query, lambda **columns: shown(issuer, Stored(**columns)))


@router.get("/principals/{principal_id}")
async def read_principal(
    principal_id: UUID, app: CurrentApp, db: Annotated[Session, platform_session("look at a principal")]
) -> PrincipalOut:
    """One principal."""
    found = await repository.one(db, principal_id)
    if found is None:
        raise NotFound
    return shown(administered(app), found)


# These commit before the identity provider is asked, so they take no session of the request.
@router.post("/principals/{principal_id}/disable", dependencies=[platform_only])
async def disable_principal(principal_id: UUID, app: CurrentApp, caller: CurrentPrincipal) -> PrincipalOut:
    """Let nobody in as this principal any more, on any worker; their sessions end."""
    return shown(administered(app), await changes.disable(app, principal_id, caller))


@router.post("/principals/{principal_id}/enable", dependencies=[platform_only])
async def enable_principal(principal_id: UUID, app: CurrentApp, caller: CurrentPrincipal) -> PrincipalOut:
    """Let the principal in again; they sign in anew."""
    return shown(administered(app), await changes.enable(app, principal_id, caller))


@router.post("/principals/{principal_id}/end-sessions", dependencies=[platform_only])
async def end_sessions(principal_id: UUID, app: CurrentApp, caller: CurrentPrincipal) -> PrincipalOut:
    """End all of the principal's sessions; they sign in anew."""
    return shown(administered(app), await changes.end_sessions(app, principal_id, caller))
