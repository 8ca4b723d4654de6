"""The requirements of a route, and the permissions of each role."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .context import Context, MembershipDirectory, Principal
from .contracts import Contribution, Role
from .errors import BadRequest, Forbidden, Unauthorized

CHALLENGE = {"WWW-Authenticate": "Bearer"}  # RFC 9110, 11.6.1: a 401 names at least one scheme


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """Everything that a route declares, together: every capability, and one role out of each set.

    `tenant`: it works in a tenant. `platform`: above tenants. `tenant_or_platform`: in the selected tenant, else above
    tenants. `by_tenant`: it is public, and depends on the tenant. `settings`: the tenant settings that it reads.
    """

    capabilities: frozenset[str] = frozenset()
    roles: tuple[frozenset[str], ...] = ()
    public: bool = False
    tenant: bool = False
    platform: bool = False
    tenant_or_platform: bool = False
    by_tenant: bool = False
    settings: frozenset[type] = frozenset()
    why: str = ""

    @property
    def selects_tenant(self) -> bool:
        """Whether the caller's tenant is looked up: not for a public route, and not above tenants."""
        return not self.platform and (self.tenant or self.by_tenant or not self.public)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolePermissions:
    """The capabilities of each role, from all contributed roles and capabilities."""

    by_role: Mapping[str, frozenset[str]] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)  # by name and by alias
    tenant_header: str = "X-Tenant-ID"

    @classmethod
    def from_contributions(cls, contributions: Sequence[Contribution], tenant_header: str) -> RolePermissions:
        roles = {name: role for one in contributions for role in one.roles for name in (role.name, *role.aliases)}
        by_role: dict[str, set[str]] = {}
        for one in contributions:
            for capability in one.capabilities:
                for name in capability.roles:
                    role = roles[name].name if name in roles else name
                    by_role.setdefault(role, set()).add(str(capability))
        granted = {role: frozenset(capabilities) for role, capabilities in by_role.items()}
        return cls(by_role=granted, roles=roles, tenant_header=tenant_header)

    @property
    def platform_roles(self) -> frozenset[str]:
        return frozenset(role.name for role in self.roles.values() if role.platform)

    def of_role(self, role: str) -> frozenset[str]:
        return self.by_role.get(self.canonical_name(role), frozenset())

    def is_platform(self, principal: Principal | None) -> bool:
        role = self.roles.get(principal.role) if principal else None
        return role is not None and role.platform

    def canonical_name(self, role: str) -> str:
        return self.roles[role].name if role in self.roles else role

    def highest(self, roles: Iterable[str]) -> str:
        """Return the known one of these roles with the highest rank, in whatever order they come; empty for none."""
        known = {self.canonical_name(role) for role in roles if role in self.roles}
        return max(known, key=lambda role: (self.roles[role].rank, role), default="")

    async def authorize(
        self, requirement: Requirement, context: Context, memberships: MembershipDirectory | None
    ) -> None:
        """Return when the caller is allowed; raises Unauthorized, BadRequest or Forbidden."""
        if requirement.public:
            return
        principal = context.principal
        if principal is None:
            raise Unauthorized("Sign in, and send the credentials with the request.", headers=CHALLENGE)
        role, is_platform = self.canonical_name(principal.role), self.is_platform(principal)
        if requirement.platform and not is_platform:
            raise Forbidden("This is for those who run the platform.")
        if context.tenant_refusal is not None:
            raise context.tenant_refusal
        above_tenants = requirement.tenant_or_platform and is_platform
        if context.tenant is None and (requirement.tenant or requirement.tenant_or_platform) and not above_tenants:
            raise BadRequest(f"Say for which tenant, by its id or slug, in the header {self.tenant_header}.")
        for allowed in requirement.roles:
            if role not in allowed and role not in map(self.canonical_name, allowed):
                raise Forbidden(f"This needs one of the roles: {', '.join(sorted(allowed))}.")
        if requirement.capabilities and not is_platform:
            await self.require_capabilities(requirement.capabilities, context, principal, memberships)

    async def require_capabilities(
        self, required: frozenset[str], context: Context, principal: Principal, memberships: MembershipDirectory | None
    ) -> None:
        stored = None
        if memberships is not None and context.tenant is not None:
            stored = await memberships.capabilities(principal, context.tenant)
        granted = self.of_role(principal.role) if stored is None else stored
        if missing := required - granted:
            raise Forbidden(f"This needs the capability: {', '.join(sorted(missing))}.")
