"""The database session as FastAPI hands it over: `async def read(db: Session)`; plain dependencies, not `yield` ones.

The session is made on first use and belongs to the request, which commits or rolls back before the first byte is sent.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from .context import current_context
from .database.scope import Scope
from .database.session import DatabaseSession
from .database.unit import UnitOfWork
from .errors import BadRequest, ConnectionAbsent
from .services import Services

ONLY_READ = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110, 9.2.1: safe methods


def unit_of(request: HTTPConnection) -> UnitOfWork:
    """The request's unit of work; raises BadRequest where no tenant is known, as on a public route."""
    context = current_context(request)
    if context.unit is None:
        services: Services = context.services
        if context.tenant_id is None:
            message = f"This needs a tenant: send {services.settings.service.tenant_header}."
            raise BadRequest(message)
        if services.postgres is None:
            raise ConnectionAbsent("PostgreSQL", "VINC_DATABASE_URL")
        context.unit = services.postgres.unit(Scope(context.tenant_id, read_only=context.method in ONLY_READ))
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
