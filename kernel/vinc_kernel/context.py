"""Who asks, and for which tenant: one object a request, found with one look-up, `scope["vinc"]`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast
from uuid import UUID

from starlette.requests import HTTPConnection

from .database.session import DatabaseSession
from .tenant_settings import TenantSettings

if TYPE_CHECKING:
    from .database.unit import UnitOfWork
    from .errors import Problem

K = TypeVar("K", bound=TenantSettings)
logger = logging.getLogger("vinc.tenants")


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever makes this request, after the credentials are verified: a person, or a machine of a `service` account.

    `issuer` and `subject` together say who it is. `role` is by its own name and not an alias; empty for none.
    `tenants` holds the ids or slugs of the tenants that are theirs, and is the one source of what is "mine".
    `generation` counts the endings of their sessions that the credentials know of. `expires` is when the credentials
    do, in seconds since 1970. `id` is their row's, for `created_by` and `updated_by`; None until a plugin remembers
    principals.
    """

    subject: str
    role: str
    tenants: frozenset[str] = frozenset()
    id: UUID | None = None
    issuer: str = ""
    email: str = ""
    kind: Literal["person", "service"] = "person"
    customers: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    multi_tenant: bool = False
    generation: int = 0
    expires: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """The company that owns data.

    `settings` is what it has set, by the name of the plugin, as stored; `disabled_plugins` are off for it.
    """

    id: UUID
    slug: str
    name: str
    status: Literal["active", "suspended", "closing"] = "active"
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    disabled_plugins: frozenset[str] = frozenset()
    typed: dict[type, TenantSettings] = field(default_factory=dict, init=False, compare=False, repr=False)

    def belongs_to(self, principal: Principal) -> bool:
        return str(self.id) in principal.tenants or self.slug in principal.tenants

    @property
    def is_active(self) -> bool:
        return self.status == "active"

    def settings_of(self, plugin: str, kind: type[K]) -> K:
        """What it has set in a plugin, read once for as long as this object is kept; defaults for the rest."""
        found = self.typed.get(kind)
        if found is None:

            def complain(name: str) -> None:
                text = "the tenant's setting %s of the plugin %s is not valid any more: its default is taken"
                logger.warning(text, name, plugin, extra={"tenant": str(self.id), "plugin": plugin})

            found = self.typed[kind] = kind.stored(self.settings.get(plugin, {}), complain)
        return cast("K", found)


class TenantDirectory(Protocol):
    """What the kernel must know of tenants. Exactly one plugin provides it."""

    async def find(self, key: UUID | str) -> Tenant | None:
        """The tenant with this id or slug; None when there is none."""


class PrincipalDirectory(Protocol):
    """What is remembered of principals. At most one plugin provides it.

    Without one nobody is known besides their credentials, and no service account is believed.
    """

    async def resolve(self, principal: Principal) -> Principal | None:
        """The principal as known here; None when they may not come in any more, or as a service account never could.

        ListQuery with each request, for credentials that are valid. What it raises refuses the request: who cannot be
        asked whether somebody may come in has not said yes.
        """


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
    absent: frozenset[str] = frozenset()  # the plugins that the caller's tenant has not, also while it is suspended
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

    @property
    def session(self) -> DatabaseSession:
        """The session of this piece of work; raises LookupError where there is none."""
        if self.unit is None:
            message = "there is no session here: ask for one in the route, db: Session"
            raise LookupError(message)
        return DatabaseSession(self.unit)

    def settings(self, kind: type[K]) -> K:
        """What the active tenant has set; raises BadRequest without one, LookupError for settings of nobody."""
        made: K = self.services.settings_of_tenant(self.tenant, kind)
        return made


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
