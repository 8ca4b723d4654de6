"""Every hook, run in a real application: a plugin implements it, and the application shows what it did."""

from __future__ import annotations

import importlib
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any
from uuid import UUID

import pytest
from httpx import ASGITransport, AsyncClient

from vinc_kernel import Context, Tenant, hooks
from vinc_kernel.app import Application, create_app
from vinc_kernel.plugins.open import open_plugins
from vinc_kernel.settings import Sources, read_settings

HEAD = """
from contextlib import asynccontextmanager
from typing import Annotated
from fastapi import APIRouter
from vinc_kernel import App, Context, Contribution, hooks, inject, public
router = APIRouter(prefix="/tiny", dependencies=[public("a test asks")])
"""


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Application]]:
    """The application of the installed plugin `health` and of one, `tiny`, with this code."""
    monkeypatch.syspath_prepend(str(tmp_path))
    package = f"tiny_{token_hex(4)}"

    def made(code: str) -> Application:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text('"""Tiny."""')
        (tmp_path / package / "plugin.py").write_text(HEAD + code)
        info = tmp_path / "tiny-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\nRequires-Dist: vinc-kernel\n")
        (info / "entry_points.txt").write_text(f"[vinc.plugins]\ntiny = {package}.plugin\n")
        manifest = tmp_path / "plugins.toml"
        manifest.write_text("[plugins.health]\n[plugins.tiny]\n")
        importlib.invalidate_caches()
        sources = Sources({"VINC_ENV": "test", "VINC_PLUGINS_FILE": str(manifest)})
        return create_app(read_settings(sources)[0], sources)

    yield made
    for name in [name for name in sys.modules if name.startswith(package)]:
        del sys.modules[name]


@asynccontextmanager
async def serving(app: Application) -> AsyncGenerator[AsyncClient]:
    """A client of the application with its plugins open; none of them needs a connection."""
    async with AsyncExitStack() as stack:
        await open_plugins(app.assembly, app.runtime, stack)
        transport = ASGITransport(app)
        yield await stack.enter_async_context(AsyncClient(transport=transport, base_url="http://test/api/v1"))


async def test_what_contribute_gives_is_served(application: Callable[[str], Any]) -> None:
    app = application("""
@router.get("")
async def answer() -> str:
    return "from the plugin"
@hooks.contribute
def contribute() -> Contribution:
    return Contribution(routers=[router])
""")
    async with serving(app) as client:
        assert (await client.get("/tiny")).json() == "from the plugin"


async def test_lifespan_is_around_serving_and_offers_services(application: Callable[[str], Any]) -> None:
    app = application("""
class Printer:
    is_open = False
@router.get("")
async def answer(printer: Annotated[Printer, inject(Printer)]) -> bool:
    return printer.is_open
@hooks.contribute
def contribute() -> Contribution:
    return Contribution(routers=[router])
@hooks.lifespan
@asynccontextmanager
async def printing(app: App):
    printer = Printer()
    printer.is_open = True
    app.provide(printer)
    yield
    printer.is_open = False
""")
    async with serving(app) as client:
        (printer,) = app.runtime.registry.services.values()
        assert (await client.get("/tiny")).json() is True

    assert printer.is_open is False


async def test_health_that_raises_is_down(application: Callable[[str], Any]) -> None:
    app = application("""
@hooks.health
async def first(app: App) -> None: ...
@hooks.health
async def second() -> None:
    raise ConnectionError
""")
    async with serving(app) as client:
        answer = await client.get("/health/ready")

    assert answer.status_code == 503
    assert sorted((one["name"], one["state"]) for one in answer.json()["checks"]) == [("tiny", "down"), ("tiny", "up")]


ACME = Tenant(id=UUID(int=7), slug="acme", name="Acme")


async def test_tenant_created_gets_the_new_tenant(application: Callable[[str], Any]) -> None:
    app = application("""
@hooks.tenant_created
async def welcome(context: Context) -> None:
    context.app.provide(context.tenant)
""")
    one = app.runtime.apps["tiny"]
    await one.call(hooks.tenant_created, Context(app=one, tenant=ACME))

    assert app.runtime.registry.services == {Tenant: ACME}


async def test_tenant_purge_gets_the_tenant_that_goes(application: Callable[[str], Any]) -> None:
    app = application("""
@hooks.tenant_purge
async def part(context: Context) -> None:
    context.app.provide(context.tenant)
""")
    one = app.runtime.apps["tiny"]
    await one.call(hooks.tenant_purge, Context(app=one, tenant=ACME))

    assert app.runtime.registry.services == {Tenant: ACME}
