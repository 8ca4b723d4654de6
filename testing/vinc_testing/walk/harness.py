"""The application that is walked, its two tenants, and the clients that call it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from anyio.from_thread import BlockingPortal
from fastapi.routing import APIRoute
from starlette.routing import Mount

from vinc_kernel.context import Tenant, TenantDirectory
from vinc_kernel.endpoints import WEBSOCKET, Endpoint
from vinc_kernel.permissions import Requirement

from ..clients import client_of
from ..tenants import RememberedTenants
from ..tokens import bearer
from .responses import Client, Request, Response
from .rows import Rows, all_rows
from .seeding import NotExercised, Operation, Seeder, TenantData
from .statements import StatementLog
from .templates import NotDescribed, read_template, shape_of

if TYPE_CHECKING:
    from vinc_kernel.app import Application

    from ..databases import Database

CREATED = 201
DEFAULT_ROLE = "wholesale_admin"  # where no role has any permission
MOUNT = "MOUNT"
OURS, THEIRS = "ours", "theirs"
Tenants = tuple[TenantData, TenantData]


def operations_of(app: Application) -> Iterator[tuple[str, Endpoint]]:
    """Yield every method of every route but HEAD, which GET implies; a mount and a WebSocket have one each."""
    for endpoint in app.routes:
        if isinstance(endpoint.route, Mount):
            yield MOUNT, endpoint
        else:
            yield from ((method, endpoint) for method in sorted(endpoint.methods - {"HEAD"}))


def route_name(method: str, endpoint: Endpoint) -> str:
    return f"{'WEBSOCKET' if method == WEBSOCKET else method} {endpoint.path}"


@dataclass(eq=False, kw_only=True)
class Harness:
    """One started application on one database. Both, and the two tenants, are shared by the walks of many routes.

    The application lives on the event loop of `portal`, in a thread of its own: it outlasts the loop of a single test,
    and never stops within a transaction.
    """

    portal: BlockingPortal
    app: Application
    database: Database
    log: StatementLog
    clients: dict[tuple[str, str], Client] = field(default_factory=dict)
    seeded: tuple[Tenants, Rows] | None = None
    seedings: int = 0

    @property
    def prefix(self) -> str:
        return self.app.runtime.settings.service.api_prefix

    @property
    def tenant_header(self) -> str:
        return self.app.runtime.settings.service.tenant_header

    async def tenants(self) -> Tenants:
        """Return two tenants with rows of every resource, ours and theirs.

        They are those of the walk before unless a row of the database has changed since they were seeded: a walk finds
        the same, whatever was walked before it.
        """
        if self.seeded is None or self.seeded[1] != all_rows(self.database):
            # In a thread: it waits for transactions of the application, which go on meanwhile.
            await asyncio.to_thread(self.database.clear)
            # Other names each time: what the application caches of the tenants before does not apply to these.
            self.seedings += 1
            tenants = await self.seed(OURS), await self.seed(THEIRS)
            self.seeded = tenants, all_rows(self.database)
        (ours, theirs), _ = self.seeded
        # A walk lists rows that it needs: those are its own.
        return replace(ours, rows=dict(ours.rows)), replace(theirs, rows=dict(theirs.rows))

    async def seed(self, whose: str) -> TenantData:
        slug = f"walk-{whose}-{self.seedings}"
        tenant = TenantData(id=(await self.add_tenant(slug)).id, slug=slug, mark=f"{whose.removesuffix('s')}mark7c1e")
        await self.sign_in(tenant)
        await self.seeder.seed(tenant)
        return tenant

    async def sign_in(self, tenant: TenantData) -> None:
        """Send any request: whoever stores who has been here does so now, and not in the middle of a walk."""
        for one in self.operations.values():
            if one.method == "GET" and not one.endpoint.requirement.public and not one.template.parameters:
                await self.send(tenant, one, Request(method="GET", path=one.template.path))
                break

    async def add_tenant(self, slug: str) -> Tenant:
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
        """Return the role with the most permissions that fulfils this in a tenant; None if only the platform's do."""
        if needs.platform:
            return None
        permissions = self.app.runtime.permissions
        names = frozenset[str]().union(*needs.roles)
        candidates = {
            role for role in {*permissions.by_role, *names, DEFAULT_ROLE} if all(role in one for one in needs.roles)
        }
        below = {role for role in candidates if permissions.canonical_name(role) not in permissions.platform_roles}
        fit = sorted(role for role in below if needs.capabilities <= permissions.of_role(role))
        return max(fit, key=lambda role: len(permissions.of_role(role)), default=None)

    def platform_role(self, operation: str) -> str:
        roles = sorted(self.app.runtime.permissions.platform_roles)
        if not roles:
            cure = "give its capability to a role: Capability(..., roles=['wholesale_admin'])"
            raise NotExercised(f"{operation}: no role is allowed to call it; {cure}")
        return roles[0]

    def client(self, role: str, tenant: str) -> Client:
        """Return a client with this role in this tenant; in no tenant if that is empty."""
        if (role, tenant) not in self.clients:
            headers = bearer(f"walker-{tenant}", role, [tenant] if tenant else [])
            if tenant:
                headers[self.tenant_header] = tenant
            http = client_of(self.app, self.prefix, headers)
            self.clients[role, tenant] = Client(http, self.log)
        return self.clients[role, tenant]

    async def send(self, tenant: TenantData, operation: Operation, request: Request) -> Response:
        """Send it as a user of this tenant who is allowed to, else as the platform's operator in this tenant."""
        role = self.role_in_tenant(operation.endpoint.requirement) or self.platform_role(operation.name)
        return await self.client(role, tenant.slug).send(request)

    def operation(self, method: str, endpoint: Endpoint) -> Operation:
        """Return it with its template; raises NotDescribed."""
        known = self.operations.get((method, endpoint.path))
        return known or Operation(endpoint, method, read_template(endpoint, method, self.prefix))

    @cached_property
    def operations(self) -> dict[tuple[str, str], Operation]:
        """All that are described; the others fail when they are walked themselves."""
        found: dict[tuple[str, str], Operation] = {}
        for method, endpoint in operations_of(self.app):
            if isinstance(endpoint.route, APIRoute):
                try:
                    found[method, endpoint.path] = Operation(
                        endpoint, method, read_template(endpoint, method, self.prefix)
                    )
                except NotDescribed:
                    continue
        return found

    @cached_property
    def seeder(self) -> Seeder:
        """The routes by which a tenant's users create rows, and those by which they list them."""
        operations = self.operations.values()
        needed = {source.collection for one in operations for source in one.template.sources()}
        creators = [one for one in operations if one.method == "POST" and self.creates_rows(one, needed)]
        lists = {shape_of(one.endpoint.path): one for one in operations if one.method == "GET"}
        return Seeder(creators=creators, lists=lists, send=self.send)

    def creates_rows(self, operation: Operation, needed: set[str]) -> bool:
        requirement = operation.endpoint.requirement
        if requirement.public or self.role_in_tenant(requirement) is None:
            return False
        route = operation.endpoint.route
        return operation.template.shape in needed or (isinstance(route, APIRoute) and route.status_code == CREATED)
