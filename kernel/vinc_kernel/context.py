"""The caller and the tenant of a request: one `Context`, stored as `scope["vinc"]`."""

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
    """The verified caller of a request: a person, or a `service` account.

    `issuer` and `subject` together identify it. `role` is a canonical name, never an alias; empty for none. `tenants`
    holds the ids or slugs of its tenants. `claims` are the verified claims of the token, read-only; a plugin that owns
    one validates it. `expires` is when the credentials expire, in seconds since 1970. `id` is the id of the stored
    principal, for `created_by` and `updated_by`; None without a plugin that stores principals.
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
    """The company that owns data. `settings` are as stored, by the name of the plugin."""

    id: UUID
    slug: str
    name: str
    status: Literal["active", "suspended", "closing", "purging"] = "active"
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    disabled_plugins: frozenset[str] = frozenset()
    typed: dict[type, TenantSettings] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def is_active(self) -> bool:
        return self.status == "active"

    def settings_of(self, plugin: str, kind: type[K]) -> K:
        """Return the tenant's settings of a plugin, with defaults for the rest; they are validated once."""
        settings = self.typed.get(kind)
        if settings is None:
            settings, invalid = kind.from_stored(self.settings.get(plugin, {}))
            self.typed[kind] = settings
            for name in invalid:
                text = "the tenant's setting %s of the plugin %s is not valid any more: its default is used"
                logger.warning(text, name, plugin, extra={"tenant": str(self.id), "plugin": plugin})
        return cast("K", settings)


class TenantDirectory(Protocol):
    """The tenants of the installation. Exactly one plugin provides it."""

    async def find(self, key: UUID | str) -> Tenant | None:
        """Return the tenant with this id or slug; None also for one that is purged, from the beginning of its purge."""


class PrincipalDirectory(Protocol):
    """The stored principals. At most one plugin provides it; without one, service accounts are refused."""

    async def resolve(self, principal: Principal) -> Principal | None:
        """Return the principal as stored; None when it is disabled, or a service account that is not registered.

        Called with each request that has valid credentials. An exception refuses the request.
        """


class MembershipDirectory(Protocol):
    """The memberships of principals in tenants. At most one plugin provides it."""

    async def capabilities(self, principal: Principal, tenant: Tenant) -> frozenset[str] | None:
        """Return the principal's capabilities in this tenant; None to use those of its role."""


@dataclass(slots=True, eq=False, kw_only=True)
class Context:
    """One request, or work outside of a request. `app` belongs to the plugin that handles it."""

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
        """The id of the active tenant, or of the session's; None without one."""
        if self.tenant is not None:
            return self.tenant.id
        return self.unit.scope.tenant if self.unit is not None else None

    @property
    def session(self) -> DatabaseSession:
        """The session of this work; raises LookupError without one."""
        if self.unit is None:
            raise LookupError("there is no session here: ask for one in the route, db: Session")
        return DatabaseSession(self.unit)

    def settings(self, kind: type[K]) -> K:
        """Return the active tenant's settings; raises BadRequest without a tenant, LookupError for an unknown class."""
        return self.app.tenant_settings_of(self.tenant, kind)

    def for_app(self, app: App) -> Context:
        return replace(self, app=app)


current: ContextVar[Context | None] = ContextVar("vinc.current", default=None)
"""The context of the request that the current task handles."""


def context_of(request: HTTPConnection) -> Context:
    context: Context = request.scope["vinc"]
    return context
