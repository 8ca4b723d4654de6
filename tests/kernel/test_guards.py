"""Who may: guards, roles, capabilities, and the tenant that they are asked in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter

from vinc_kernel import (
    Capability,
    Contribution,
    MembershipDirectory,
    Principal,
    PrincipalDirectory,
    Role,
    Tenant,
    TenantDirectory,
    public,
    require_capabilities,
    require_roles,
    signed_in,
)
from vinc_kernel.app import Application, create_app
from vinc_kernel.plugins.arrange import Plugin
from vinc_kernel.settings import KernelSettings, ServiceSettings

from ..credentials import JWT, credentials

Client = Callable[[Any], httpx.AsyncClient]
PluginOf = Callable[[str, Contribution], Plugin]
ACME, GLOBEX = (
    Tenant(id=UUID(int=0xABC + number), slug=slug, name=slug) for number, slug in enumerate(("acme", "globex"))
)
MANAGE = Capability("things.manage", title="Manage", roles=["manager"])
ROLES = [
    Role(name="manager", title="Manager", rank=2, aliases=["boss"]),
    Role(name="viewer", title="Viewer", rank=1),
    Role(name="root", title="Platform", rank=9, platform=True),
]


@dataclass
class Tenants:
    known: Mapping[str, Tenant]
    asked: int = 0

    async def find(self, key: UUID | str) -> Tenant | None:
        self.asked += 1
        return self.known.get(str(key))


@dataclass
class Stored:
    capabilities_of: Mapping[str, frozenset[str]]
    gone: frozenset[str] = frozenset()

    async def capabilities(self, principal: Principal, tenant: Tenant) -> frozenset[str] | None:
        return self.capabilities_of.get(f"{principal.subject}@{tenant.slug}")

    async def resolve(self, principal: Principal) -> Principal | None:
        if principal.subject == "promoted":
            return replace(principal, role="manager")
        return None if principal.subject in self.gone else principal


def contribution() -> Contribution:
    router = APIRouter(prefix="/things")

    @router.get("/open", dependencies=[public("a test")])
    async def is_open() -> str:
        return "open"

    @router.get("/mine", dependencies=[signed_in])
    async def mine() -> str:
        return "mine"

    @router.get("/managed", dependencies=[require_capabilities(MANAGE)])
    async def managed() -> str:
        return "managed"

    @router.get("/bosses", dependencies=[require_roles("manager")])
    async def bosses() -> str:
        return "bosses"

    return Contribution(routers=[router], capabilities=[MANAGE], roles=ROLES, provides=[TenantDirectory])


@pytest.fixture
def tenants() -> Tenants:
    return Tenants({str(one.id): one for one in (ACME, GLOBEX)} | {one.slug: one for one in (ACME, GLOBEX)})


@pytest.fixture
def app(plugin_of: PluginOf, tenants: Tenants) -> Application:
    made = create_app(
        KernelSettings(service=ServiceSettings(env="test"), jwt=JWT), plugins=[plugin_of("things", contribution())]
    )
    made.runtime.registry.services[TenantDirectory] = tenants
    return made


def sent(who: str | None, tenant: str | None = None) -> dict[str, str]:
    return (credentials(f"{who}") if who else {}) | ({"X-Tenant-ID": tenant} if tenant else {})


@pytest.mark.parametrize(
    ("path", "who", "tenant", "status"),
    [
        ("open", None, None, 200),
        ("open", None, "nowhere", 200),
        ("open", "a;viewer;acme", "globex", 200),
        ("mine", None, None, 401),
        ("mine", "a;viewer;", None, 200),
        ("mine", "a;viewer;acme", "globex", 403),
        ("managed", None, "acme", 401),
        ("managed", "a;manager;acme", None, 200),
        ("managed", "a;manager;acme", "acme", 200),
        ("managed", "a;boss;acme", "acme", 200),
        ("managed", f"a;manager;{ACME.id}", str(ACME.id), 200),
        ("managed", f"a;manager;{ACME.id}", "acme", 200),
        ("managed", f"a;manager;{ACME.id}", str(ACME.id).upper(), 403),
        ("managed", f"a;manager;{ACME.id}", ACME.id.hex, 403),
        ("managed", "a;root;acme", "acme", 200),
        ("managed", "a;viewer;acme", "acme", 403),
        ("managed", "a;stranger;acme", "acme", 403),
        ("managed", "a;manager;acme,globex", None, 400),
        ("managed", "a;manager;acme,globex", "globex", 200),
        ("managed", "a;manager;", None, 400),
        ("managed", "a;manager;acme", "globex", 403),
        ("managed", "a;manager;acme", "nowhere", 403),
        ("managed", "a;manager;nowhere", None, 403),
        ("bosses", "a;manager;acme", None, 200),
        ("bosses", "a;boss;acme", None, 200),
        ("bosses", "a;viewer;acme", None, 403),
        ("bosses", "a;root;acme", None, 403),
    ],
)
async def test_who_may_where(
    app: Application, client_of: Client, path: str, who: str | None, tenant: str | None, status: int
) -> None:
    answer = await client_of(app).get(f"/things/{path}", headers=sent(who, tenant))

    assert answer.status_code == status, answer.text


async def test_a_tenant_of_others_and_one_that_does_not_exist_are_answered_alike(
    app: Application, client_of: Client
) -> None:
    api = client_of(app)
    others = await api.get("/things/managed", headers=sent("a;manager;acme", "globex") | {"X-Request-ID": "same"})
    nobodys = await api.get("/things/managed", headers=sent("a;manager;acme", "nowhere") | {"X-Request-ID": "same"})

    assert (others.status_code, others.content, others.headers) == (403, nobodys.content, nobodys.headers)


async def test_a_denial_names_the_missing_capability_and_the_missing_header(
    app: Application, client_of: Client
) -> None:
    api = client_of(app)
    denied = await api.get("/things/managed", headers=sent("a;viewer;acme"))
    unsaid = await api.get("/things/managed", headers=sent("a;manager;acme,globex"))

    assert "things.manage" in denied.json()["detail"]
    assert "X-Tenant-ID" in unsaid.json()["detail"]


async def test_a_public_route_costs_no_look_up(app: Application, client_of: Client, tenants: Tenants) -> None:
    await client_of(app).get("/things/open", headers=sent("a;manager;acme", "acme"))

    assert tenants.asked == 0


async def test_without_a_directory_nothing_is_open_but_what_is_public(app: Application, client_of: Client) -> None:
    del app.runtime.registry.services[TenantDirectory]
    api = client_of(app)

    assert (await api.get("/things/managed", headers=sent("a;manager;acme"))).status_code == 503
    assert (await api.get("/things/open")).status_code == 200


async def test_stored_memberships_count_instead_of_the_role(app: Application, client_of: Client) -> None:
    stored = {"less@acme": frozenset[str](), "more@acme": frozenset({"things.manage"})}
    app.runtime.registry.services[MembershipDirectory] = Stored(stored)
    api = client_of(app)

    assert (await api.get("/things/managed", headers=sent("less;manager;acme"))).status_code == 403
    assert (await api.get("/things/managed", headers=sent("more;viewer;acme"))).status_code == 200
    assert (await api.get("/things/managed", headers=sent("unknown;manager;acme"))).status_code == 200


async def test_who_is_not_recognised_any_more_is_nobody(app: Application, client_of: Client) -> None:
    app.runtime.registry.services[PrincipalDirectory] = Stored({}, gone=frozenset({"gone"}))
    api = client_of(app)

    assert (await api.get("/things/mine", headers=sent("gone;manager;acme"))).status_code == 401
    assert (await api.get("/things/managed", headers=sent("promoted;viewer;acme"))).status_code == 200


@pytest.mark.parametrize("why", ["", "  ", None, 3])
def test_what_is_public_needs_its_reason(why: Any) -> None:
    with pytest.raises(TypeError):
        public(why)
