"""Who asks, and for which tenant: one object a request, found with one look-up, `scope["vinc"]`."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from starlette.requests import HTTPConnection

if TYPE_CHECKING:
    from .database.unit import UnitOfWork
    from .errors import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever makes this request, after the credentials are verified.

    `tenants` holds the ids or slugs of the tenants that are theirs, and is the one source of what is "mine".
    """

    subject: str
    role: str
    tenants: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """The company that owns data."""

    id: UUID
    slug: str
    name: str

    def belongs_to(self, principal: Principal) -> bool:
        return str(self.id) in principal.tenants or self.slug in principal.tenants


class TenantDirectory(Protocol):
    """What the kernel must know of tenants. Exactly one plugin provides it."""

    async def find(self, key: UUID | str) -> Tenant | None:
        """The tenant with this id or slug; None when there is none."""


class PrincipalDirectory(Protocol):
    """What is remembered of principals. At most one plugin provides it."""

    async def recognise(self, principal: Principal) -> Principal | None:
        """The principal as known here, or as given when nothing is known; None when they may not come in any more."""


class MembershipDirectory(Protocol):
    """What principals are in tenants. At most one plugin provides it."""

    async def capabilities(self, principal: Principal, tenant: Tenant) -> frozenset[str] | None:
        """What they may do in this tenant; None when nothing was ever stored of them, so that their role counts."""


@dataclass(slots=True, eq=False)
class Context:
    """One request: what the steps found out, and what they add to the answer."""

    request_id: str = ""
    method: str = ""
    status: int = 0  # of the answer, once its first byte is sent
    found: Mapping[bytes, bytes] = field(default_factory=dict)
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    principal: Principal | None = None
    tenant: Tenant | None = None
    tenant_refusal: Problem | None = None
    plugin: str = ""
    route: str = ""
    unit: UnitOfWork | None = None
    services: Any = None

    def header(self, name: bytes) -> bytes | None:
        """The value of a request header, by its name in lower case."""
        return self.found.get(name)

    @property
    def tenant_id(self) -> UUID | None:
        return self.tenant.id if self.tenant else None


asking: ContextVar[Context | None] = ContextVar("vinc.asking", default=None)
"""The request that this task works for, for log lines alone: everything else is passed its context."""


def current_context(request: HTTPConnection) -> Context:
    """The context of this request, as a FastAPI dependency."""
    context: Context = request.scope["vinc"]
    return context


async def current_principal(request: HTTPConnection) -> Principal | None:
    """Whoever makes this request, as a FastAPI dependency; None when nobody is signed in."""
    return current_context(request).principal


async def get_tenant_id(request: HTTPConnection) -> UUID | None:
    """The id of the active tenant, as a FastAPI dependency; None when there is none."""
    return current_context(request).tenant_id
