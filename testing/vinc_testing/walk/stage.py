"""The application that is walked, who asks it, and what of it can be target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastapi.routing import APIRoute
from starlette.routing import Mount

from vinc_kernel.context import Tenant, TenantDirectory
from vinc_kernel.endpoints import WEBSOCKET, Endpoint
from vinc_kernel.permissions import Requirement

from ..clients import client_of
from ..tenants import RememberedTenants
from ..tokens import bearer
from .answers import Answer, Caller, Question
from .described import Described, NotDescribed, describe, shape_of
from .overhear import Overheard
from .planted import Garden, NotExercised, Planted, Target

if TYPE_CHECKING:
    from vinc_kernel.app import Application

    from ..databases import Database

CREATED = 201
ANYBODY = "wholesale_admin"  # where no role is worth anything
MOUNT = "MOUNT"


def cases(app: Application) -> Iterator[tuple[str, Endpoint]]:
    """Every method of every route, HEAD besides, which is GET's; a mount and a WebSocket are one case each."""
    for endpoint in app.routes:
        if isinstance(endpoint.route, Mount):
            yield MOUNT, endpoint
        else:
            yield from ((method, endpoint) for method in sorted(endpoint.methods - {"HEAD"}))


def named(method: str, endpoint: Endpoint) -> str:
    return f"{'WEBSOCKET' if method == WEBSOCKET else method} {endpoint.path}"


@dataclass(slots=True, eq=False, kw_only=True)
class Stage:
    """One application on one database, with what is overheard between the two."""

    app: Application
    database: Database
    overheard: Overheard
    stack: AsyncExitStack
    descriptions: dict[str, Described]
    callers: dict[tuple[str, str], Caller] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        return self.app.runtime.settings.service.api_prefix

    @property
    def tenant_header(self) -> str:
        return self.app.runtime.settings.service.tenant_header

    async def tenant(self, slug: str) -> Tenant:
        """A tenant with this slug, made if missing."""
        directory = self.app.runtime.registry.find(TenantDirectory)
        if isinstance(directory, RememberedTenants):
            directory.add(slug)
        else:
            self.database.add_tenant(slug)
        found: Tenant | None = await directory.find(slug)
        if found is None:
            raise NotExercised(f"the tenant {slug} was added and is not found")
        return found

    def role_in_tenant(self, needs: Requirement) -> str | None:
        """The role of a tenant's own user that may do most of those that may do this; None where only platform may."""
        if needs.platform:
            return None
        permissions = self.app.runtime.permissions
        named = frozenset[str]().union(*needs.roles)
        candidates = {
            role for role in {*permissions.by_role, *named, ANYBODY} if all(role in one for one in needs.roles)
        }
        below = {role for role in candidates if permissions.canonical_name(role) not in permissions.platform_roles}
        fit = sorted(role for role in below if needs.capabilities <= permissions.of_role(role))
        return max(fit, key=lambda role: len(permissions.of_role(role)), default=None)

    def platform_role(self, where: str) -> str:
        roles = sorted(self.app.runtime.permissions.platform_roles)
        if not roles:
            cure = "give its capability to a role: Capability(..., roles=['wholesale_admin'])"
            raise NotExercised(f"{where}: no role may ask it; {cure}")
        return roles[0]

    def caller(self, role: str, tenant: str) -> Caller:
        """Somebody with this role in this tenant; in no tenant of their own, where it is empty."""
        if (role, tenant) not in self.callers:
            headers = bearer(f"walker-{tenant}", role, [tenant] if tenant else [])
            if tenant:
                headers[self.tenant_header] = tenant
            client = client_of(self.app, self.prefix, headers)
            self.stack.push_async_callback(client.aclose)
            self.callers[role, tenant] = Caller(client, self.overheard)
        return self.callers[role, tenant]

    async def ask(self, planted: Planted, target: Target, question: Question) -> Answer:
        """As whoever of this tenant may ask that route, else as the platform's operator in this tenant."""
        role = self.role_in_tenant(target.endpoint.requirement) or self.platform_role(target.where)
        return await self.caller(role, planted.slug).ask(question)

    def described(self, method: str, endpoint: Endpoint) -> Described:
        """How to ask it, from what is remembered: FastAPI takes milliseconds for each."""
        name = f"{method} {endpoint.path} {endpoint.where}"
        if name not in self.descriptions:
            self.descriptions[name] = describe(endpoint, method, self.prefix)
        return self.descriptions[name]

    def garden(self) -> Garden:
        """The routes by which a tenant's users make rows, and those by which they list them."""
        told = list(self.all_described())
        needed = {source.collection for one in told for source in one.described.sources()}
        creators = [one for one in told if one.method == "POST" and self.creates(one, needed)]
        lists = {shape_of(one.endpoint.path): one for one in told if one.method == "GET"}
        return Garden(creators=creators, lists=lists)

    def creates(self, one: Target, needed: set[str]) -> bool:
        says_so = isinstance(one.endpoint.route, APIRoute) and one.endpoint.route.status_code == CREATED
        requirement = one.endpoint.requirement
        may = not requirement.public and self.role_in_tenant(requirement) is not None
        return may and (says_so or one.described.shape in needed)

    def all_described(self) -> Iterator[Target]:
        """Those that are not described fail when they are walked themselves."""
        for method, endpoint in cases(self.app):
            if isinstance(endpoint.route, APIRoute):
                try:
                    yield Target(endpoint, method, self.described(method, endpoint))
                except NotDescribed:
                    continue
