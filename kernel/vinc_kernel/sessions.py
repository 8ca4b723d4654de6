"""The database session as FastAPI hands it over: `async def read(db: Session)`; plain dependencies, not `yield` ones.

The session is made on first use and belongs to the request, which commits or rolls back before the first byte is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from .context import current_context
from .database.scope import Scope
from .database.session import DatabaseSession
from .database.unit import UnitOfWork
from .errors import BadRequest, Forbidden
from .services import Services, note_platform_work

ONLY_READ = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110, 9.2.1: safe methods


def unit_of(request: HTTPConnection) -> UnitOfWork:
    """The request's unit of work; raises BadRequest where no tenant is known, as on a public route."""
    context = current_context(request)
    if context.unit is None:
        services: Services = context.services
        if context.tenant_id is None:
            message = f"This needs a tenant: send {services.settings.service.tenant_header}."
            raise BadRequest(message)
        actor = context.principal.id if context.principal else None
        scope = Scope(context.tenant_id, actor=actor, read_only=context.method in ONLY_READ)
        context.unit = services.database.unit(scope)
    return context.unit


async def session(request: HTTPConnection) -> DatabaseSession:
    """The session of this request, in its tenant."""
    return DatabaseSession(unit_of(request))


async def orm_session(request: HTTPConnection) -> AsyncSession:
    """SQLAlchemy's session on the same connection and in the same transaction."""
    return unit_of(request).orm()


SESSION_CALLS = frozenset({session, orm_session})
Session = Annotated[DatabaseSession, Depends(session)]
OrmSession = Annotated[AsyncSession, Depends(orm_session)]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class PlatformSession:
    """The session of a request above all tenants; in a GET it only reads."""

    reason: str

    async def __call__(self, request: HTTPConnection) -> DatabaseSession:
        context = current_context(request)
        services: Services = context.services
        # ListQuery again: inside of a mounted application nobody has asked before.
        if context.principal is None or not services.is_platform(context.principal):
            raise Forbidden("This is for those who run the platform.")
        if context.unit is None:
            note_platform_work(self.reason, context.principal, context)
            actor = context.principal.id if context.principal else None
            scope = Scope(actor=actor, platform=True, read_only=context.method in ONLY_READ)
            context.unit = services.database.unit(scope)
        return DatabaseSession(context.unit)


made = cache(PlatformSession)  # one object for each reason, as for guards


def platform_session(reason: str) -> Any:
    """Work above all tenants, as a FastAPI dependency: only platform roles get in; the reason is logged each time."""
    if not isinstance(reason, str) or not reason.strip():
        message = "platform_session() needs its reason, a sentence"
        raise TypeError(message)
    return Depends(made(reason))
