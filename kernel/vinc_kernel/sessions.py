"""The database session as a FastAPI dependency: `async def read(db: Session)`; none of them needs `yield`.

The session is made on first use and belongs to the request, which commits or rolls back before the first byte is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from .authorization import Authorization
from .context import Context, context_of
from .database.scope import Scope
from .database.session import DatabaseSession
from .database.unit import UnitOfWork
from .dependencies import current_tenant
from .errors import DatabaseError, Forbidden
from .runtime import log_platform_session, require_reason, runtime_of

READ_ONLY_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110, 9.2.1: safe methods


def unit_of(request: HTTPConnection) -> UnitOfWork:
    """Return the request's unit of work; raises BadRequest without a tenant, as on a public route."""
    context = context_of(request)
    if context.unit is None:
        runtime = runtime_of(request)
        runtime.require_tenant(context.tenant)
        context.unit = open_unit(request)
    return context.unit


def open_unit(request: HTTPConnection, *, platform: bool = False) -> UnitOfWork:
    """Return a unit of work that asks whether the request is still authorized before its first statement."""
    authorization: Authorization = request.scope["vinc.authorization"]
    if request.scope["type"] == "websocket":  # in a mounted application; the start refuses it elsewhere
        raise DatabaseError("a WebSocket would keep its session as long as it is open: use app.session() for a message")
    return runtime_of(request).database.unit(scope_of(context_of(request), platform=platform), authorization.require)


def scope_of(context: Context, *, platform: bool = False) -> Scope:
    """Return the scope of a request's session; in a safe method it only reads."""
    return Scope(
        None if platform else context.tenant_id,
        actor=context.principal.id if context.principal else None,
        platform=platform,
        read_only=context.method in READ_ONLY_METHODS,
    )


async def session(request: HTTPConnection) -> DatabaseSession:
    return DatabaseSession(unit_of(request))


async def orm_session(request: HTTPConnection) -> AsyncSession:
    """Return SQLAlchemy's session on the same connection and in the same transaction."""
    return unit_of(request).orm()


SESSIONS = frozenset({session, orm_session})
TENANT_SCOPED = SESSIONS | {current_tenant}
"""A route that depends on one of these works in a tenant."""
Session = Annotated[DatabaseSession, Depends(session)]
OrmSession = Annotated[AsyncSession, Depends(orm_session)]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class PlatformSession:
    """The session of a request above all tenants; in a GET it only reads."""

    reason: str

    async def __call__(self, request: HTTPConnection) -> DatabaseSession:
        context, runtime = context_of(request), runtime_of(request)
        # Checked again: inside a mounted application nothing was checked before.
        if not runtime.permissions.is_platform(context.principal):
            raise Forbidden("This is for those who run the platform.")
        if context.unit is None:
            log_platform_session(self.reason, context.principal, context)
            context.unit = open_unit(request, platform=True)
        return DatabaseSession(context.unit)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class TenantOrPlatformSession(PlatformSession):
    """The selected tenant's session; without a tenant the platform's, for roles above tenants."""

    async def __call__(self, request: HTTPConnection) -> DatabaseSession:
        context, runtime = context_of(request), runtime_of(request)
        if context.tenant is not None or not runtime.permissions.is_platform(context.principal):
            return await session(request)
        return await PlatformSession(self.reason)(request)


platform_dependency = cache(PlatformSession)  # one object for each reason, as for guards
tenant_or_platform_dependency = cache(TenantOrPlatformSession)


def platform_session(reason: str) -> Any:
    """Work above all tenants, as a FastAPI dependency: only platform roles may; the reason is logged each time."""
    return Depends(platform_dependency(require_reason("platform_session", reason)))


def tenant_or_platform(reason: str) -> Any:
    """Work in the selected tenant, as a FastAPI dependency; without one above all tenants, for platform roles only.

    Without a tenant, any other role gets 400. The reason is logged each time the platform's session is used.
    """
    return Depends(tenant_or_platform_dependency(require_reason("tenant_or_platform", reason)))
