"""Work above all tenants on a real database: its role, its reason in the log, and what it may not do."""

import logging
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import APIRouter
from httpx import ASGITransport, AsyncClient
from sqlalchemy import bindparam, text

from vinc_kernel import (
    Context,
    Contribution,
    Principal,
    PrincipalDirectory,
    Role,
    Session,
    Tenant,
    hooks,
    platform_session,
)
from vinc_kernel.app import Application, create_app
from vinc_kernel.database.session import DatabaseSession
from vinc_kernel.errors import HookFailed, VincError
from vinc_kernel.settings import Sources, read_settings
from vinc_testing import Database, Servers
from vinc_testing.databases import environment
from vinc_testing.running import plugin_of

from ..credentials import credentials

ACTOR, TENANT = UUID(int=0xA), UUID(int=0xB)
WHO = text(
    "select current_user::text as role, nullif(current_setting('vinc.tenant_id', true), '') as tenant, "
    "nullif(current_setting('vinc.actor_id', true), '') as actor"
)
ADD = text("insert into vinc_change (topic, number) values (:topic, 1)").bindparams(bindparam("topic"))
BROKEN = text("select 1 / 0 as number")
Platform = Annotated[Session, platform_session("a test looks at everything")]


@dataclass(frozen=True)
class Who:
    role: str
    tenant: str | None
    actor: str | None


router = APIRouter(prefix="/things")


@router.get("/who")
async def who(db: Platform) -> Who:
    return await db.one(WHO, Who)


@router.post("/topics")
async def add(db: Platform) -> Who:
    await db.execute(ADD, {"topic": "posted"})
    return await db.one(WHO, Who)


@router.get("/topics")
async def add_in_get(db: Platform) -> None:
    await db.execute(ADD, {"topic": "got"})


async def swallow(context: Context) -> None:
    """A hook that goes on after an error of the database."""
    await context.session.execute(ADD, {"topic": "set up"})
    with suppress(VincError):
        await context.session.execute(BROKEN)


def contribute() -> Contribution:
    return Contribution(routers=[router], roles=[Role(name="root", title="Root", rank=9, platform=True)])


class Remembered:
    """Everybody has the same row."""

    async def resolve(self, principal: Principal) -> Principal:
        return replace(principal, id=ACTOR)


@pytest.fixture
async def app(vinc_servers: Servers, vinc_database: Database) -> AsyncGenerator[Application]:
    module = ModuleType("made_things.plugin")
    vars(module).update(contribute=hooks.contribute(contribute), created=hooks.tenant_created(swallow))
    sys.modules[module.__name__] = module
    sources = Sources(environment(vinc_servers, vinc_database.name) | {"VINC_LOG_LEVEL": "info"})
    made = create_app(read_settings(sources)[0], sources, plugins=[plugin_of("things", module)])
    made.runtime.registry.services[PrincipalDirectory] = Remembered()
    async with made.lifespan():
        yield made
    del sys.modules[module.__name__]


@pytest.fixture
async def ask(app: Application) -> AsyncGenerator[Callable[..., Any]]:
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test/api/v1/things") as client:

        async def ask(method: str, path: str, headers: Mapping[str, str] | None = None) -> Any:
            return await client.request(method, path, headers={**credentials("alice;root;"), **(headers or {})})

        yield ask


def topics(database: Database) -> list[str]:
    return [str(topic) for (topic,) in database.admin.execute("select topic from vinc_change").fetchall()]


@pytest.fixture(autouse=True)
def no_topics(vinc_database: Database) -> None:
    vinc_database.admin.execute("delete from vinc_change")


async def test_a_route_works_as_the_platforms_role_for_whoever_asks(
    ask: Callable[..., Any], app: Application, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    answer = await ask("GET", "/who", {"X-Request-ID": "mine", "X-Tenant-ID": "acme"})

    role = f"{app.runtime.settings.database.role_prefix}_platform"
    assert answer.json() == {"role": role, "tenant": None, "actor": None}  # who only reads leaves no name
    (told,) = [record for record in caplog.records if getattr(record, "event", "") == "platform.session"]
    logged = {name: vars(told)[name] for name in ("reason", "principal", "route")}
    assert logged == {"reason": "a test looks at everything", "principal": "alice", "route": "/api/v1/things/who"}


async def test_what_it_writes_is_stored_with_the_name_of_who_did(
    ask: Callable[..., Any], vinc_database: Database
) -> None:
    answer = await ask("POST", "/topics")

    assert (answer.status_code, answer.json()["actor"]) == (200, str(ACTOR))
    assert topics(vinc_database) == ["posted"]


async def test_in_a_get_it_writes_nothing(ask: Callable[..., Any], vinc_database: Database) -> None:
    assert (await ask("GET", "/topics")).status_code == 500
    assert topics(vinc_database) == []


async def test_an_app_opens_one_anywhere_in_one_tenant_if_told(app: Application) -> None:
    async with app.runtime.apps["things"].platform_session("a test", tenant=TENANT) as db:
        found = await db.one(WHO, Who)

    assert found.tenant == str(TENANT)
    assert found.role.endswith("_platform")


async def create(app: Application) -> None:
    """Make a tenant as the plugin of tenants does."""
    one = app.runtime.apps["things"]
    async with one.platform_session("make a tenant", tenant=TENANT) as db:
        await db.execute(ADD, {"topic": "made"})
        await one.call(hooks.tenant_created, one.context(db, Tenant(id=TENANT, slug="acme", name="Acme")))


async def test_a_hook_that_swallows_an_error_of_the_database_fails_the_whole(
    app: Application, vinc_database: Database
) -> None:
    with pytest.raises(HookFailed, match="things: tenant_created: it went on after an error of the database"):
        await create(app)

    assert topics(vinc_database) == []


def test_a_session_is_where_a_hook_looks_for_it(app: Application) -> None:
    with pytest.raises(LookupError, match="Session"):
        _: DatabaseSession = Context(app=app.runtime.apps["things"]).session
