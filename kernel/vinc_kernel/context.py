"""Who asks, and for which tenant: one object a request, found with one look-up, `scope["vinc"]`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast
from uuid import UUID

from starlette.requests import HTTPConnection

from .database.session import DatabaseSession
from .tenant_settings import TenantSettings

if TYPE_CHECKING:
    from .database.unit import UnitOfWork
    from .errors import Problem
    from .runtime import App

K = TypeVar("K", bound=TenantSettings)
logger = logging.getLogger("vinc.tenants")
NO_CLAIMS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who makes a request, after the credentials are verified: a person, or a machine of a `service` account.

    `issuer` and `subject` together identify it. `role` is a canonical name, never an alias; empty for none. `tenants`
    holds the ids or slugs of its tenants. `claims` are the verified claims of the token, read-only: a plugin that owns
    one reads it there, and checks its form. `expires` is when the credentials expire, in seconds since 1970. `id` is
    the row's, for `created_by` and `updated_by`; None until a plugin stores principals.
    """

    subject: str
    role: str
    tenants: frozenset[str] = frozenset()
    id: UUID | None = None
    issuer: str = ""
    email: str = ""
    kind: Literal["person", "service"] = "person"
    claims: Mapping[str, Any] = field(default_factory=lambda: NO_CLAIMS, compare=False, repr=False)
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

        Called with each request, for credentials that are valid. What it raises refuses the request: who cannot be
        asked whether somebody may come in has not said yes.
        """


class MembershipDirectory(Protocol):
    """What principals are in tenants. At most one plugin provides it."""

    async def capabilities(self, principal: Principal, tenant: Tenant) -> frozenset[str] | None:
        """What they may do in this tenant; None when nothing was ever stored of them, so that their role counts."""


@dataclass(slots=True, eq=False, kw_only=True)
class Context:
    """One request, or one piece of work outside of a request: what is known of it, and what its answer gets.

    `app` is the application as the plugin sees it that this work belongs to.
    """

    app: App
    request_id: str = ""
    method: str = ""
    status: int = 0  # of the response, once its first byte is sent
    request_headers: Mapping[bytes, bytes] = field(default_factory=dict)
    response_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    principal: Principal | None = None
    tenant: Tenant | None = None
    tenant_refusal: Problem | None = None
    disabled_plugins: frozenset[str] = frozenset()  # of the caller's tenant, also while it is suspended
    route: str = ""
    unit: UnitOfWork | None = None

    def header(self, name: bytes) -> bytes | None:
        """Return the value of a request header, by its name in lower case."""
        return self.request_headers.get(name)

    @property
    def tenant_id(self) -> UUID | None:
        """The id of the active tenant, or of the one that the session is bound to; None without one."""
        if self.tenant is not None:
            return self.tenant.id
        return self.unit.scope.tenant if self.unit is not None else None

    @property
    def session(self) -> DatabaseSession:
        """The session of this piece of work; raises LookupError where there is none."""
        if self.unit is None:
            message = "there is no session here: ask for one in the route, db: Session"
            raise LookupError(message)
        return DatabaseSession(self.unit)

    def settings(self, kind: type[K]) -> K:
        """Return the active tenant's settings; raises BadRequest without a tenant, LookupError for an unknown class."""
        return self.app.tenant_settings_of(self.tenant, kind)

    def for_app(self, app: App) -> Context:
        """Return the same piece of work as the plugin of this `app` sees it."""
        return replace(self, app=app)


current: ContextVar[Context | None] = ContextVar("vinc.current", default=None)
"""The request that this task works for."""


def context_of(request: HTTPConnection) -> Context:
    """Return the context of a request."""
    context: Context = request.scope["vinc"]
    return context
