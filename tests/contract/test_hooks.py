"""Every hook, run in a real application: one plugin implements all of them, and each is seen to have run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Annotated, Any

import pytest
from fastapi import APIRouter

from vinc_kernel import App, Context, Contribution, Event, hooks, inject, public
from vinc_kernel.hookspecs import HOOKS
from vinc_tenants.purge import get_closing_tenant, purge
from vinc_testing import VincApp
from vinc_testing.clients import client_of
from vinc_testing.tokens import bearer

Ran = list[tuple[str, Any]]


class Printer:
    is_open = True


class Printed(Event):
    pages: int


@pytest.fixture
def ran() -> Ran:
    """The hooks that have run, each with what it was given."""
    return []


@pytest.fixture
def vinc_plugins(ran: Ran) -> Mapping[str, ModuleType]:
    """The plugin `printing`, which implements every hook."""
    router = APIRouter(prefix="/printing", dependencies=[public("a test calls it")])

    @router.get("")
    async def is_open(printer: Annotated[Printer, inject(Printer)]) -> bool:
        return printer.is_open

    @hooks.contribute
    def contribute() -> Contribution:
        ran.append(("contribute", None))
        return Contribution(routers=[router])

    @hooks.lifespan
    @asynccontextmanager
    async def lifespan(app: App) -> AsyncGenerator[None]:
        printer = Printer()
        app.provide(printer)
        yield
        printer.is_open = False
        ran.append(("lifespan", printer))

    @hooks.health
    async def health(app: App) -> None:
        ran.append(("health", app.plugin))

    @hooks.health
    async def unhealthy() -> None:
        raise ConnectionError

    @hooks.tenant_created
    async def tenant_created(context: Context) -> None:
        ran.append(("tenant_created", context.tenant))

    @hooks.tenant_purge
    async def tenant_purge(context: Context) -> None:
        ran.append(("tenant_purge", context.tenant))

    @hooks.on(Event)
    async def on(events: Sequence[Event], context: Context) -> None:
        ran.append(("on", events))

    module = ModuleType("made_printing.plugin")
    vars(module).update({name: one for name, one in locals().items() if callable(one)})
    return {"printing": module}


async def test_every_hook_runs(vinc_make_app: Callable[[], VincApp], ran: Ran) -> None:
    async with vinc_make_app().started() as app:
        admin = client_of(app, "/api/v1", bearer("root", "super_admin"))
        printing = await admin.get("/printing")
        health = await admin.get("/health/ready")
        created = (await admin.post("/tenants", json={"slug": "acme", "name": "Acme"})).json()
        await admin.delete(f"/tenants/{created['id']}", headers={"If-Match": "*", "X-Tenant-ID": "acme"})
        tenants = app.plugin("tenants")
        async with tenants.session() as db:
            await tenants.emit(db, Printed(pages=3))
        await purge(tenants, await get_closing_tenant(tenants, "acme", at_once=True), at_once=True)
    given = dict(ran)

    assert set(given) == set(HOOKS)
    assert given["on"] == [Printed(pages=3)]
    assert printing.json() is True
    assert given["lifespan"].is_open is False
    assert {one["state"] for one in health.json()["checks"] if one["name"] == "printing"} == {"up", "down"}
    assert given["tenant_created"].slug == given["tenant_purge"].slug == "acme"
