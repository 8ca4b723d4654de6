"""What a handler may ask for: the application, the caller, the tenant, and whatever plugins provide, by type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from starlette.requests import HTTPConnection

from .context import Context, Principal, Tenant, context_of
from .errors import BadRequest, Unauthorized
from .permissions import CHALLENGE
from .runtime import App, runtime_of
from .settings import Settings
from .tenant_settings import TenantSettings


@dataclass(frozen=True, slots=True)
class Injected:
    """A FastAPI dependency that returns a service, a plugin's settings, or the tenant's settings, by type."""

    kind: type

    async def __call__(self, request: HTTPConnection) -> Any:
        context = context_of(request)
        if issubclass(self.kind, TenantSettings):
            return context.settings(self.kind)
        if issubclass(self.kind, Settings) and self.kind in runtime_of(request).plugin_settings:
            return runtime_of(request).plugin_settings[self.kind]
        return context.app.get(self.kind)


def inject(kind: type) -> Any:
    """Ask by type for a service, a plugin's settings, or the tenant's settings, as a FastAPI dependency."""
    return Depends(current_app if kind is App else Injected(kind))


async def current_app(request: HTTPConnection) -> App:
    return context_of(request).app


async def current_context(request: HTTPConnection) -> Context:
    return context_of(request)


async def current_principal(request: HTTPConnection) -> Principal | None:
    """Return who makes this request, as a FastAPI dependency; None when nobody is signed in."""
    return context_of(request).principal


async def signed_in_principal(request: HTTPConnection) -> Principal:
    principal = context_of(request).principal
    if principal is None:
        raise Unauthorized("Sign in, and send the credentials with the request.", headers=CHALLENGE)
    return principal


async def current_tenant(request: HTTPConnection) -> Tenant:
    tenant = context_of(request).tenant
    if tenant is None:
        message = f"This needs a tenant: send {runtime_of(request).settings.service.tenant_header}."
        raise BadRequest(message)
    return tenant


async def get_tenant_id(request: HTTPConnection) -> UUID | None:
    """Return the id of the active tenant, as a FastAPI dependency; None when there is none."""
    return context_of(request).tenant_id


CurrentApp = Annotated[App, Depends(current_app)]
"""The application, as the route's plugin sees it."""
CurrentContext = Annotated[Context, Depends(current_context)]
"""The context of this request."""
CurrentPrincipal = Annotated[Principal, Depends(signed_in_principal)]
"""Who makes this request; 401 when nobody is signed in."""
CurrentTenant = Annotated[Tenant, Depends(current_tenant)]
"""The active tenant; makes the route tenant-scoped."""
