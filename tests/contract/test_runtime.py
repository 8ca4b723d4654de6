"""What a plugin gets from the kernel at run time, and what its tests get: events, background work, aliases, clocks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Annotated, Any

import pytest
from fastapi import APIRouter
from psycopg import sql
from pydantic import BaseModel
from sqlalchemy import text

from vinc_kernel import (
    App,
    Context,
    Contribution,
    CurrentApp,
    CurrentContext,
    CurrentPrincipal,
    CurrentTenant,
    Event,
    Session,
    Tenant,
    TenantDirectory,
    TenantSettings,
    hooks,
    inject,
    public,
    signed_in,
    tenant_or_platform,
)
from vinc_kernel.errors import HookFailed
from vinc_testing import ClientAs, Database, Servers, VincApp

ADD = text("insert into desk_paper (tenant_id, name) values (nullif(current_setting('vinc.tenant_id'), '')::uuid, 'a')")
COUNT = text("select count(*) as number from desk_paper")
TABLE = "create table desk_paper (tenant_id uuid not null, name text not null)"
POLICY = """
create policy t on desk_paper using (
  tenant_id = nullif(current_setting('vinc.tenant_id', true), '')::uuid or current_user like '%platform')
"""
Listener = Callable[[Sequence[Event], Context], Awaitable[None]]


class Written(Event):
    name: str


class Signed(Written):
    by: str


class Terms(TenantSettings):
    days: int = 30


class Number(BaseModel):
    number: int


@dataclass
class Desk:
    """How the plugins of this test behave, and what they noticed."""

    heard: list[tuple[str, list[str], Any]] = field(default_factory=list)
    fails: bool = False
    worked: list[Any] = field(default_factory=list)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def desk_module(desk: Desk) -> ModuleType:
    router = APIRouter(prefix="/desk", dependencies=[signed_in])

    @router.post("", status_code=201)
    async def write(app: CurrentApp, db: Session) -> None:
        await db.execute(ADD)
        await app.emit(db, Written(name="first"), Signed(name="second", by="me"))

    @router.get("/who")
    async def who(
        app: CurrentApp, principal: CurrentPrincipal, tenant: CurrentTenant, context: CurrentContext
    ) -> list[str]:
        return [app.plugin, principal.subject, tenant.slug, context.app.plugin]

    @router.get("/terms")
    async def terms(terms: Annotated[Terms, inject(Terms)]) -> Terms:
        return terms

    @router.get("/count")
    async def count(db: Annotated[Session, tenant_or_platform("count papers")]) -> int:
        return (await db.one(COUNT, Number)).number

    open_router = APIRouter(prefix="/desk", dependencies=[public("a test asks")])

    @open_router.get("/nobody")
    async def nobody(principal: CurrentPrincipal) -> str:
        return principal.subject

    @hooks.lifespan
    @asynccontextmanager
    async def work(app: App) -> AsyncGenerator[None]:
        async def once() -> None:
            desk.worked.append(app.now())
            if len(desk.worked) == 1:
                raise ValueError("no")

        app.background(once, every=0.01)
        yield
        desk.worked.append("closed")

    module = ModuleType("desk.plugin")
    routers = [router, open_router]
    contribution = Contribution(routers=routers, tenant_settings=Terms, optional_for_tenants=True)
    vars(module).update(contribute=hooks.contribute(lambda: contribution), work=work)
    vars(module)["written"] = hooks.on(Written)(listener(desk, "desk"))
    return module


def archive_module(desk: Desk) -> ModuleType:
    module = ModuleType("archive.plugin")
    contribution = Contribution(optional_for_tenants=True)
    vars(module)["contribute"] = hooks.contribute(lambda: contribution)
    vars(module)["signed"] = hooks.on(Signed)(listener(desk, "archive"))
    return module


def listener(desk: Desk, name: str) -> Listener:
    async def hear(events: Sequence[Event], context: Context) -> None:
        tenant = context.tenant.slug if context.tenant else None
        desk.heard.append((name, [one.name for one in events if isinstance(one, Written)], tenant))
        assert context.app.plugin == name
        if desk.fails and name == "archive":
            raise ZeroDivisionError

    return hear


@pytest.fixture
def vinc_plugins(desk: Desk) -> Mapping[str, ModuleType]:
    return {"desk": desk_module(desk), "archive": archive_module(desk)}


@pytest.fixture
def papers(vinc_database: Database, vinc_servers: Servers) -> Generator[Callable[[], int]]:
    """Make the table; count its rows as a superuser."""
    app, platform = (sql.Identifier(f"{vinc_servers.prefix}_{role}") for role in ("app", "platform"))
    vinc_database.admin.execute("drop table if exists desk_paper")
    vinc_database.admin.execute(TABLE)
    vinc_database.admin.execute(sql.SQL("grant select, insert on desk_paper to {}, {}").format(app, platform))
    yield lambda: len(vinc_database.admin.execute("select from desk_paper").fetchall())
    vinc_database.admin.execute("drop table desk_paper")


async def test_every_listener_gets_all_events_of_its_kind_at_once_in_the_transaction(
    papers: Callable[[], int], desk: Desk, client_as: ClientAs, vinc_app: VincApp
) -> None:
    response = await client_as("wholesale_admin", "acme").post("/desk")

    assert response.status_code == 201
    assert desk.heard == [("desk", ["first", "second"], "acme"), ("archive", ["second"], "acme")]
    assert vinc_app.events == [Written(name="first"), Signed(name="second", by="me")]
    assert papers() == 1


@pytest.mark.parametrize("state", ["ready", "quarantined"])
async def test_a_listener_that_fails_or_is_quarantined_fails_the_change(
    papers: Callable[[], int], desk: Desk, client_as: ClientAs, vinc_app: VincApp, state: str
) -> None:
    desk.fails = state == "ready"
    states = vinc_app.application.runtime.registry.states
    states["archive"] = replace(states["archive"], state=state)
    response = await client_as("wholesale_admin", "acme").post("/desk")

    assert response.status_code == 500
    assert papers() == 0


async def test_a_plugin_that_never_loaded_fails_what_it_is_known_to_listen_to(
    papers: Callable[[], int], vinc_app: VincApp
) -> None:
    states = vinc_app.application.runtime.registry.states
    name = f"{Written.__module__}.{Written.__qualname__}"
    states["ledger"] = replace(states["desk"], name="ledger", state="quarantined", listens=(name,))
    app = vinc_app.plugin("desk")
    async with app.session() as db:
        with pytest.raises(HookFailed, match="ledger: on: it listens and is quarantined"):
            await app.emit(db, Signed(name="a", by="b"))


async def test_a_listener_hears_for_a_tenant_that_has_its_plugin_off_and_outside_of_requests(
    papers: Callable[[], int], desk: Desk, client_as: ClientAs, vinc_app: VincApp, vinc_database: Database
) -> None:
    client_as("wholesale_admin", "acme")
    vinc_database.admin.execute("update tenants_tenant set disabled_plugins = '[\"archive\"]'")
    app = vinc_app.plugin("desk")
    tenant: Tenant | None = await app.get(TenantDirectory).find("acme")
    assert tenant is not None
    async with app.session(tenant.id) as db:
        await app.emit(db, Signed(name="by command", by="nobody"))

    assert desk.heard == [("desk", ["by command"], "acme"), ("archive", ["by command"], "acme")]


async def test_background_work_goes_on_after_a_failure_and_ends_before_the_lifespan(
    desk: Desk, vinc_make_app: Callable[[], VincApp]
) -> None:
    async with vinc_make_app().started():
        while len(desk.worked) < 3:  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0.005)
    number = len(desk.worked)
    await asyncio.sleep(0.05)

    assert desk.worked[-1] == "closed"
    assert len(desk.worked) == number


async def test_handlers_ask_for_the_application_the_caller_the_tenant_and_the_context(client_as: ClientAs) -> None:
    response = await client_as("viewer", "acme", subject="alice").get("/desk/who")

    assert response.json() == ["desk", "alice", "acme", "desk"]


async def test_a_route_that_asks_for_the_tenant_needs_one(client_as: ClientAs) -> None:
    assert (await client_as("super_admin", "").get("/desk/who")).status_code == 400


async def test_where_nobody_is_signed_in_who_asks_for_the_caller_gets_401(client: Any) -> None:
    assert (await client.get("/desk/nobody")).status_code == 401


async def test_tenant_or_platform_is_the_selected_tenant_or_all_for_those_above(
    papers: Callable[[], int], client_as: ClientAs, vinc_database: Database
) -> None:
    vinc_database.admin.execute(POLICY)
    vinc_database.admin.execute("alter table desk_paper enable row level security")
    acme, other = client_as("wholesale_admin", "acme"), client_as("wholesale_admin", "globex")
    for client in (acme, acme, other):
        await client.post("/desk")
    everywhere, nowhere = client_as("super_admin", ""), client_as("viewer", "")
    counts = [(await one.get("/desk/count")).json() for one in (acme, other, client_as("super_admin", "acme"))]
    above, refused = await everywhere.get("/desk/count"), await nowhere.get("/desk/count")

    assert counts == [2, 1, 2]
    assert above.json() == 3
    assert (refused.status_code, refused.json()["type"]) == (400, "urn:vinc:problem:bad-request")


async def test_a_test_may_set_the_settings_of_a_tenant(client_as: ClientAs) -> None:
    await client_as("viewer", "acme").get("/desk/terms")
    client = client_as("viewer", "acme", settings={"desk": {"days": 3}})

    assert (await client.get("/desk/terms")).json() == {"days": 3}


@pytest.mark.parametrize(
    ("role", "settings", "message"),
    [
        ("viewr", {}, "no plugin contributes the role 'viewr'; there are: .*viewer.*plugins.toml"),
        ("viewer", {"days": 3}, "no plugin 'days' has settings of tenants; there are: desk; write settings="),
        ("viewer", {"desk": {"day": 3}}, "the plugin 'desk' has no tenant settings day; it has: days"),
    ],
)
async def test_a_client_of_an_unknown_role_or_setting_is_refused(
    client_as: ClientAs, role: str, settings: Any, message: str
) -> None:
    with pytest.raises(LookupError, match=message):
        client_as(role, "acme", settings=settings)


async def test_a_test_may_move_the_clock_and_its_clients_stay_signed_in(client_as: ClientAs, vinc_app: VincApp) -> None:
    client = client_as("viewer", "acme")
    assert (await client.get("/desk/terms")).status_code == 200
    vinc_app.clock.advance(days=7)

    assert vinc_app.plugin("desk").now() - datetime.now(UTC) > timedelta(days=6)
    assert (await client.get("/desk/terms")).status_code == 200


async def test_a_test_may_override_a_service(vinc_app: VincApp) -> None:
    class Nowhere:
        async def find(self, _: object) -> None:
            return None

    vinc_app.override(TenantDirectory, Nowhere())

    assert await vinc_app.plugin("desk").get(TenantDirectory).find("acme") is None


async def test_a_plugin_that_does_not_run_is_told_with_those_that_do(vinc_app: VincApp) -> None:
    with pytest.raises(LookupError, match=r"there is no plugin 'nope' here; there are: .*desk"):
        vinc_app.plugin("nope")


async def test_clients_follow_location_and_next(client_as: ClientAs) -> None:
    platform = client_as("super_admin", "acme")
    created = await platform.post("/tenants", json={"slug": "initech", "name": "Initech"})
    platform.headers["X-Tenant-ID"] = "initech"

    assert (await platform.follow(created)).json()["slug"] == "initech"
    slugs = [one["slug"] for one in await platform.items("/tenants", limit=1)]
    assert sorted(slugs) == ["acme", "initech"]
    with pytest.raises(LookupError, match="has no Location"):
        await platform.follow(await platform.get("/tenants"))


def test_an_app_shows_no_way_to_the_inside() -> None:
    assert [name for name in dir(App) if not name.startswith("_") and "runtime" in name] == []
    assert not hasattr(App, "services")
