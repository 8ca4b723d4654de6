"""Who may, and in which tenant: guards, roles, capabilities, and what those hear who may not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import pytest
from fastapi import APIRouter, Request, WebSocket
from httpx import AsyncClient, Response
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from vinc_kernel import (
    BadRequest,
    Capability,
    Contribution,
    MembershipDirectory,
    Principal,
    PrincipalDirectory,
    Role,
    Tenant,
    TenantDirectory,
    get_tenant_id,
    public,
    require_capabilities,
    require_roles,
    signed_in,
)
from vinc_kernel.app import Application

from ...credentials import credentials
from ..conftest import AppOf, client_of, talk

ACME = Tenant(id=UUID(int=0xABC), slug="acme", name="Acme", disabled_plugins=frozenset({"extra"}))
GLOBEX = Tenant(id=UUID(int=0xDEF), slug="globex", name="Globex", status="suspended")
INITECH = Tenant(id=UUID(int=0x123), slug="initech", name="Initech", status="closing")
UMBRELLA = Tenant(id=UUID(int=0x456), slug="umbrella", name="Umbrella")
KNOWN = {key: one for one in (ACME, GLOBEX, INITECH, UMBRELLA) for key in (str(one.id), one.slug)}
MANAGE = Capability("things.manage", title="Manage", roles=["manager"])
ROLES = [
    Role(name="manager", title="Manager", rank=2, aliases=["boss"]),
    Role(name="viewer", title="Viewer", rank=1),
    Role(name="root", title="Platform", rank=9, aliases=["super"], platform=True),
]
SUSPENDED = "urn:vinc:problem:tenant-suspended"


@dataclass
class Tenants:
    """A directory that notes what it is asked."""

    known: Mapping[str, Tenant] = field(default_factory=lambda: KNOWN)
    asked: list[str] = field(default_factory=list)

    async def find(self, key: UUID | str) -> Tenant | None:
        self.asked.append(str(key))
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


def things() -> Contribution:
    router = APIRouter(prefix="/things")

    @router.get("/open", dependencies=[public("a test")])
    async def is_open() -> str:
        return "open"

    @router.get("/mine", dependencies=[signed_in])
    async def mine(request: Request) -> dict[str, Any]:
        return all_faces(request.scope, await get_tenant_id(request))

    @router.get("/managed", dependencies=[require_capabilities(MANAGE)])
    async def managed(request: Request) -> dict[str, Any]:
        return all_faces(request.scope, await get_tenant_id(request))

    @router.get("/bosses", dependencies=[require_roles("manager")])
    async def bosses() -> str:
        return "bosses"

    @router.get("/broken", dependencies=[signed_in])
    async def broken(request: Request) -> None:
        message = str(sorted(all_faces(request.scope, await get_tenant_id(request)).values()))
        raise BadRequest(message)

    @router.websocket("/live", dependencies=[signed_in])
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_json(all_faces(socket.scope, await get_tenant_id(socket)))
        await socket.close()

    guarded = APIRouter(dependencies=[signed_in])
    guarded.mount("/things/files", files)
    return Contribution(routers=[router, guarded], capabilities=[MANAGE], roles=ROLES, provides=[TenantDirectory])


async def files(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope)
    await JSONResponse(all_faces(request.scope, await get_tenant_id(request)))(scope, receive, send)


def all_faces(scope: Scope, id_asked: UUID | None) -> dict[str, Any]:
    """The tenant as each public face of it tells."""
    state = Request({**scope, "type": "http"}).state
    faces = (state.tenant_id, state.active_wholesaler_id, id_asked, scope["vinc"].tenant_id)
    return {name: str(one) for name, one in zip(("state", "older", "dependency", "context"), faces, strict=True)}


def extra() -> Contribution:
    router = APIRouter(prefix="/extra")

    @router.get("", dependencies=[signed_in])
    async def look() -> str:
        return "there"

    @router.get("/managed/{number:int}", dependencies=[require_capabilities(EXTRA)])
    async def managed(number: int) -> str:
        return "there"

    return Contribution(routers=[router], capabilities=[EXTRA], optional_for_tenants=True)


EXTRA = Capability("extra.manage", title="Manage", roles=["manager"])


@pytest.fixture
def tenants() -> Tenants:
    return Tenants()


@pytest.fixture
def app(app_of: AppOf, tenants: Tenants) -> Application:
    made = app_of(things=things(), extra=extra())
    made.runtime.registry.services[TenantDirectory] = tenants
    return made


@pytest.fixture
def api(app: Application) -> AsyncClient:
    return client_of(app)


def sent(who: str | None, tenant: str | None = None) -> dict[str, str]:
    said = {"X-Request-ID": "same"} | (credentials(f"{who}") if who else {})
    return said | ({"X-Tenant-ID": tenant} if tenant else {})


@pytest.mark.parametrize(
    ("path", "who", "tenant", "status"),
    [
        ("open", None, None, 200),
        ("open", None, "nowhere", 200),
        ("open", "a;viewer;acme", "umbrella", 200),
        ("mine", None, None, 401),
        ("mine", "a;viewer;", None, 200),
        ("mine", "a;viewer;acme", "umbrella", 403),
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
        ("managed", "a;manager;acme,umbrella", None, 400),
        ("managed", "a;manager;acme,umbrella", "umbrella", 200),
        ("managed", "a;manager;", None, 400),
        ("managed", "a;manager;acme", "umbrella", 403),
        ("managed", "a;manager;acme", "nowhere", 403),
        ("managed", "a;manager;nowhere", None, 403),
        ("bosses", "a;manager;acme", None, 200),
        ("bosses", "a;boss;acme", None, 200),
        ("bosses", "a;viewer;acme", None, 403),
        ("bosses", "a;root;acme", None, 403),
        ("managed", "a;root;", "acme", 200),
        ("managed", "a;super;", str(ACME.id), 200),
        ("managed", "a;root;", None, 400),
        ("managed", "a;root;", "nowhere", 403),
        ("managed", "a;root;", "globex", 200),
        ("managed", "a;manager;globex", None, 403),
        ("managed", f"a;manager;{GLOBEX.id}", "globex", 403),
        ("managed", "a;manager;initech", None, 403),
        ("mine", "a;manager;globex", "globex", 200),
        ("mine", "a;manager;globex", None, 200),
        ("managed", f"a;manager;{GLOBEX.id},{ACME.id}", "acme", 200),
        ("managed", "a;manager;globex,acme", str(ACME.id), 200),
        ("open", "a;manager;globex", "globex", 200),
    ],
)
async def test_who_works_where(api: AsyncClient, path: str, who: str | None, tenant: str | None, status: int) -> None:
    answer = await api.get(f"/things/{path}", headers=sent(who, tenant))

    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("tenant", ["globex", "initech"])
async def test_only_members_hear_that_a_tenant_is_suspended(api: AsyncClient, tenant: str) -> None:
    """Threats P12: outsiders get, byte for byte, what they get for a tenant that does not exist."""
    member = await api.get("/things/managed", headers=sent(f"a;manager;{tenant}", tenant))
    outsider, nobodys = [
        await api.get("/things/managed", headers=sent("a;manager;acme", asked)) for asked in (tenant, "nowhere")
    ]

    assert (member.status_code, member.json()["type"]) == (403, SUSPENDED)
    assert same(outsider, nobodys)
    assert SUSPENDED not in outsider.text


async def test_in_a_suspended_tenant_nothing_is_done_where_no_tenant_is_needed(api: AsyncClient) -> None:
    answer = await api.get("/things/mine", headers=sent("a;manager;globex", "globex"))

    assert set(answer.json().values()) == {"None"}


@pytest.mark.parametrize("theirs", ["acme", f"{ACME.id}", f"{ACME.id},{INITECH.id}", "acme,initech", "nowhere,no-one"])
@pytest.mark.parametrize(("foreign", "unknown"), [("globex", "nothing"), (str(GLOBEX.id), str(UUID(int=7)))])
async def test_a_tenant_of_others_is_not_even_looked_up(
    api: AsyncClient, tenants: Tenants, theirs: str, foreign: str, unknown: str
) -> None:
    """Threats I17: whatever is cached of it, nothing differs but what the caller has said."""
    answers, asked = [], []
    for tenant in (foreign, unknown):
        tenants.asked.clear()
        answers.append(await api.get("/things/managed", headers=sent(f"a;manager;{theirs}", tenant)))
        asked.append(tenants.asked[:])

    assert same(*answers)
    assert answers[0].status_code == 403
    assert asked[0] == asked[1]
    assert foreign not in asked[0]


def same(first: Response, second: Response) -> bool:
    return (first.status_code, first.headers, first.content) == (second.status_code, second.headers, second.content)


async def test_a_denial_names_the_missing_capability_and_the_missing_header(api: AsyncClient) -> None:
    denied = await api.get("/things/managed", headers=sent("a;viewer;acme"))
    unsaid = await api.get("/things/managed", headers=sent("a;manager;acme,umbrella"))

    assert "things.manage" in denied.json()["detail"]
    assert "X-Tenant-ID" in unsaid.json()["detail"]


async def test_a_public_route_costs_no_look_up(api: AsyncClient, tenants: Tenants) -> None:
    await api.get("/things/open", headers=sent("a;manager;acme", "acme"))

    assert tenants.asked == []


async def test_without_a_directory_nothing_is_open_but_what_is_public(app: Application, api: AsyncClient) -> None:
    del app.runtime.registry.services[TenantDirectory]

    assert (await api.get("/things/managed", headers=sent("a;manager;acme"))).status_code == 503
    assert (await api.get("/things/open")).status_code == 200


async def test_stored_memberships_count_instead_of_the_role(app: Application, api: AsyncClient) -> None:
    stored = {"less@acme": frozenset[str](), "more@acme": frozenset({"things.manage"})}
    app.runtime.registry.services[MembershipDirectory] = Stored(stored)

    assert (await api.get("/things/managed", headers=sent("less;manager;acme"))).status_code == 403
    assert (await api.get("/things/managed", headers=sent("more;viewer;acme"))).status_code == 200
    assert (await api.get("/things/managed", headers=sent("unknown;manager;acme"))).status_code == 200


async def test_who_is_not_recognised_any_more_is_nobody(app: Application, api: AsyncClient) -> None:
    app.runtime.registry.services[PrincipalDirectory] = Stored({}, gone=frozenset({"gone"}))

    assert (await api.get("/things/mine", headers=sent("gone;manager;acme"))).status_code == 401
    assert (await api.get("/things/managed", headers=sent("promoted;viewer;acme"))).status_code == 200


@pytest.mark.parametrize("path", ["", "/managed/7"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("role", ["manager", "stranger", "root"])
async def test_what_a_tenant_has_not_is_not_there(api: AsyncClient, path: str, method: str, role: str) -> None:
    """Threats P8: neither a 405 nor a missing capability tells that the plugin is there for others."""
    absent = await api.request(method, f"/extra{path}", headers=sent(f"a;{role};acme", "acme"))
    nowhere = await api.request(method, "/nowhere", headers=sent(f"a;{role};acme", "acme"))

    assert absent.status_code == 404
    assert without_length(absent) == without_length(nowhere)
    assert absent.content == nowhere.content.replace(b"/nowhere", f"/extra{path}".encode())


def without_length(answer: Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "content-length"}


async def test_who_has_a_plugin_has_its_methods_too(api: AsyncClient, tenants: Tenants) -> None:
    tenants.known = {**tenants.known, "acme": replace(ACME, disabled_plugins=frozenset())}

    assert (await api.get("/extra", headers=sent("a;manager;acme"))).status_code == 200
    assert (await api.post("/extra", headers=sent("a;manager;acme"))).headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("tenant", [ACME, None], ids=["in one", "in none"])
async def test_every_face_tells_the_same_tenant(app: Application, api: AsyncClient, tenant: Tenant | None) -> None:
    headers = sent("a;manager;acme,globex", tenant.slug if tenant else None)
    expected = {str(tenant.id) if tenant else "None"}
    answers = [(await api.get(f"/things/{path}", headers=headers)).json() for path in ("mine", "files/any")]
    broken = await api.get("/things/broken", headers=headers)
    answers += [json.loads(one["text"]) for one in await talk(app, "/things/live", headers) if "text" in one]

    assert [set(answer.values()) for answer in answers] == [expected] * 3
    assert broken.json()["detail"] == str([*expected] * 4)
