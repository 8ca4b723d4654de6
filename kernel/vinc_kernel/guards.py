"""The one check that endpoints declare.

Guards are ordinary FastAPI dependencies. The kernel finds them in a route's dependency tree at start, and the
dispatcher runs them before the body is read; FastAPI itself only ever sees one that hands over the principal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from .context import Context, MembershipDirectory, Principal, current_context
from .contracts import Capability
from .errors import BadRequest, Forbidden, Unauthorized

CHALLENGE = {"WWW-Authenticate": "Bearer"}  # RFC 9110, 11.6.1: a 401 names at least one scheme


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Guard:
    """What a route needs. `why` is the reason of a public one; `platform` lets in those who run the platform."""

    capabilities: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    public: bool = False
    why: str = ""
    platform: bool = False

    async def __call__(self, request: HTTPConnection) -> Principal | None:
        """Ask again: inside of a mounted application nobody has asked before."""
        context = current_context(request)
        await context.services.authorise(self.requirement, context)
        return context.principal

    @property
    def requirement(self) -> Requirement:
        return Requirement(
            capabilities=self.capabilities,
            roles=(self.roles,) if self.roles else (),
            public=self.public,
            tenant=bool(self.capabilities),
            platform=self.platform,
        )


# One object for each meaning: FastAPI classifies callables in a cache of 4,096, which a guard a route would flush.
guard = cache(Guard)


def require_capabilities(*capabilities: Capability) -> Any:
    """Let those in who have all these capabilities in the active tenant."""
    refuse_nothing("require_capabilities", capabilities)
    return Depends(guard(frozenset(map(str, capabilities))))


def require_roles(*roles: str) -> Any:
    """Let those in who have one of these roles."""
    refuse_nothing("require_roles", roles)
    return Depends(guard(frozenset(), frozenset(roles)))


def refuse_nothing(guard: str, names: Sequence[str]) -> None:
    """A guard that names nothing would let in everybody who is known, which nobody means who writes it."""
    if not names:
        message = f"{guard}() needs at least one name; signed_in is for everybody who is known"
        raise TypeError(message)


signed_in: Any = Depends(guard())
# For routes that open `app.platform_session` themselves.
platform_only: Any = Depends(guard(platform=True))


def public(why: str) -> Any:
    """Let everybody in; the reason is for whoever reviews what this installation shows to strangers."""
    if not isinstance(why, str) or not why.strip():
        message = "public() needs its reason, a sentence"
        raise TypeError(message)
    return Depends(guard(frozenset(), frozenset(), public=True, why=why))


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """All that a route declares, together: every capability, and one role out of each set.

    `tenant`: it works in one. `platform`: it works above them. `by_tenant`: it is public, and answers each tenant with
    something else. `settings`: the tenant settings that it reads.
    """

    capabilities: frozenset[str] = frozenset()
    roles: tuple[frozenset[str], ...] = ()
    public: bool = False
    tenant: bool = False
    platform: bool = False
    by_tenant: bool = False
    settings: frozenset[type] = frozenset()
    why: str = ""

    @property
    def selects(self) -> bool:
        """Whether the caller's tenant is looked up: not for what all see alike, and not above tenants."""
        return not self.platform and (self.tenant or self.by_tenant or not self.public)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What roles are worth here: every contributed role and capability, looked up by name."""

    by_role: Mapping[str, frozenset[str]] = field(default_factory=dict)
    platform_roles: frozenset[str] = frozenset()
    canonical: Mapping[str, str] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)
    tenant_header: str = "X-Tenant-ID"

    def of_role(self, role: str) -> frozenset[str]:
        return self.by_role.get(self.named(role), frozenset())

    def is_platform(self, principal: Principal) -> bool:
        return self.named(principal.role) in self.platform_roles

    def named(self, role: str) -> str:
        """The role by its own name, where this is one of its aliases."""
        return self.canonical.get(role, role)

    def highest(self, roles: Iterable[str]) -> str:
        """The known one of these roles that ranks highest, whatever their order; empty where none is known."""
        known = {self.canonical[role] for role in roles if role in self.canonical}
        return max(known, key=lambda role: (self.ranks.get(role, 0), role), default="")

    async def authorise(
        self, requirement: Requirement, context: Context, memberships: MembershipDirectory | None
    ) -> None:
        """Return when the caller may; raise Unauthorized, BadRequest or Forbidden when not."""
        if requirement.public:
            return
        principal = context.principal
        if principal is None:
            raise Unauthorized("Sign in, and send the credentials with the request.", headers=CHALLENGE)
        if requirement.platform and not self.is_platform(principal):
            raise Forbidden("This is for those who run the platform.")
        if context.tenant_refusal is not None:
            raise context.tenant_refusal
        if requirement.tenant and context.tenant is None:
            message = f"Say for which tenant, by its id or slug, in the header {self.tenant_header}."
            raise BadRequest(message)
        role = self.named(principal.role)
        for allowed in requirement.roles:
            if role not in allowed and role not in map(self.named, allowed):
                message = f"This needs one of the roles: {', '.join(sorted(allowed))}."
                raise Forbidden(message)
        if requirement.capabilities and role not in self.platform_roles:
            await self.require(requirement.capabilities, context, principal, memberships)

    async def require(
        self,
        wanted: frozenset[str],
        context: Context,
        principal: Principal,
        memberships: MembershipDirectory | None,
    ) -> None:
        stored = None
        if memberships is not None and context.tenant is not None:
            stored = await memberships.capabilities(principal, context.tenant)
        granted = self.of_role(principal.role) if stored is None else stored
        if missing := wanted - granted:
            message = f"This needs the capability: {', '.join(sorted(missing))}."
            raise Forbidden(message)
