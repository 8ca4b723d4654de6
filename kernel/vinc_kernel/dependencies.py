"""FastAPI dependencies for handlers: the application, the caller, the tenant, and services and settings by type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from starlette.requests import HTTPConnection

from .context import Context, Principal, Tenant, context_of
from .errors import Unauthorized
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
    """Return a FastAPI dependency on a service, a plugin's settings, or the tenant's settings, by type."""
    return Depends(current_app if kind is App else Injected(kind))


async def current_app(request: HTTPConnection) -> App:
    return context_of(request).app


async def current_context(request: HTTPConnection) -> Context:
    return context_of(request)


async def current_principal(request: HTTPConnection) -> Principal | None:
    """Return the caller, as a FastAPI dependency; None when nobody is signed in."""
    return context_of(request).principal


async def signed_in_principal(request: HTTPConnection) -> Principal:
    principal = context_of(request).principal
    if principal is None:
        raise Unauthorized("Sign in, and send the credentials with the request.", headers=CHALLENGE)
    return principal


async def current_tenant(request: HTTPConnection) -> Tenant:
    return runtime_of(request).require_tenant(context_of(request).tenant)


async def get_tenant_id(request: HTTPConnection) -> UUID | None:
    """Return the id of the active tenant, as a FastAPI dependency; None when there is none."""
    return context_of(request).tenant_id


CurrentApp = Annotated[App, Depends(current_app)]
"""The `App` of the route's plugin."""
CurrentContext = Annotated[Context, Depends(current_context)]
"""The context of this request."""
CurrentPrincipal = Annotated[Principal, Depends(signed_in_principal)]
"""The caller; 401 when nobody is signed in."""
CurrentTenant = Annotated[Tenant, Depends(current_tenant)]
"""The active tenant; makes the route tenant-scoped."""
