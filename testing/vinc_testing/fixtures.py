"""The fixtures, each named by what it gives."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AsyncExitStack
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from .clock import Clock
from .databases import Database
from .servers import Servers

if TYPE_CHECKING:
    from vinc_kernel.runtime import Runtime

    from .clients import Client, ClientAs, TenantSettingsByPlugin
    from .tokens import MakeToken
    from .vinc_app import VincApp
    from .walk import SharedHarness, TwoTenants


@pytest.fixture(scope="session")
def vinc_servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Servers:
    """Where PostgreSQL and Valkey of this run are; the first worker that asks has them started."""
    from .servers import servers

    is_worker = hasattr(request.config, "workerinput")
    own = tmp_path_factory.getbasetemp()
    return servers(own.parent if is_worker else own, os.getppid() if is_worker else os.getpid())


@pytest.fixture(scope="session")
def vinc_worker() -> str:
    """The name of this process in the run; `main` without pytest-xdist."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def vinc_worker_database(
    vinc_servers: Servers, vinc_worker: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Database]:
    """The worker's own copy of a database with the tables of every enabled plugin."""
    from .databases import copy_template, make_template
    from .servers import once

    own = tmp_path_factory.getbasetemp()
    once(own if vinc_worker == "main" else own.parent, "vinc-template", lambda: make_template(vinc_servers))
    database = copy_template(vinc_servers, vinc_worker)
    with database.admin:
        yield database


@pytest.fixture
def vinc_database(vinc_worker_database: Database) -> Database:
    """The worker's database, with nothing in it but what the migrations have left there."""
    vinc_worker_database.clear()
    return vinc_worker_database


@pytest.fixture
def vinc_environment() -> Mapping[str, str]:
    """Settings for this test, by their public names: `{"VINC_INVOICES__PRINTER_URL": "..."}`; override it."""
    return {}


@pytest.fixture
def vinc_plugins() -> Mapping[str, ModuleType]:
    """Plugins for this test beside the installed ones, by name, each a module with hooks; override it."""
    return {}


@pytest.fixture
def vinc_clock() -> Clock:
    """The clock of this test's applications: `vinc_clock.advance(days=7)`."""
    return Clock()


@pytest.fixture
def vinc_make_app(  # noqa: PLR0913, PLR0917  fixtures are what pytest hands it
    vinc_servers: Servers,
    vinc_database: Database,
    vinc_environment: Mapping[str, str],
    vinc_plugins: Mapping[str, ModuleType],
    vinc_worker: str,
    vinc_clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], VincApp]:
    """Make an application of every enabled plugin, in VINC_ENV=test, not started."""
    from .running import make_application, pointing_at
    from .vinc_app import VincApp

    for module in vinc_plugins.values():
        monkeypatch.setitem(sys.modules, module.__name__, module)  # where a plugin is imported from
    environ = {**pointing_at(vinc_servers, vinc_database.name, vinc_worker), **vinc_environment}
    return lambda: VincApp(make_application(environ, vinc_plugins, vinc_clock), vinc_clock)


@pytest_asyncio.fixture
async def vinc_app(vinc_make_app: Callable[[], VincApp]) -> AsyncGenerator[VincApp]:
    """The application of every enabled plugin, started, in VINC_ENV=test."""
    async with vinc_make_app().started() as app:
        yield app


@pytest_asyncio.fixture
async def vinc_second_app(
    vinc_app: VincApp,  # noqa: ARG001  the first one is there already
    vinc_make_app: Callable[[], VincApp],
) -> AsyncGenerator[VincApp]:
    """Another worker of the same installation, with connections and caches of its own."""
    async with vinc_make_app().started() as app:
        yield app


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each route, where a test asks for `two_tenants`."""
    if "two_tenants" in metafunc.fixturenames:
        from .running import make_application
        from .walk import route_names

        metafunc.parametrize("two_tenants", route_names(make_application({}, {})), indirect=True)


@pytest.fixture(scope="module")
def _vinc_shared_harness() -> Generator[SharedHarness]:
    """What the walks of a module share: one application, started once, and two tenants with rows."""
    from .walk import SharedHarness

    with SharedHarness() as shared:
        yield shared


@pytest.fixture
def two_tenants(
    request: pytest.FixtureRequest,
    _vinc_shared_harness: SharedHarness,
    vinc_servers: Servers,
    vinc_worker_database: Database,
    vinc_environment: Mapping[str, str],
    vinc_worker: str,
) -> TwoTenants:
    """Two tenants and one route, each in its turn: `await two_tenants.assert_isolated()`."""
    from .running import make_application, pointing_at
    from .walk import TwoTenants

    environ = {**pointing_at(vinc_servers, vinc_worker_database.name, vinc_worker), **vinc_environment}
    harness = _vinc_shared_harness.start(
        lambda more: make_application({**environ, **more}, {}), vinc_worker_database, environ
    )
    return TwoTenants(harness=harness, route=request.param)


@pytest.fixture
def vinc_token() -> MakeToken:
    """Make access tokens that VINC_ENV=test believes: `vinc_token("alice", "viewer", ["acme"])`."""
    from .tokens import token

    return token


@pytest_asyncio.fixture
async def client(vinc_app: VincApp) -> AsyncGenerator[Client]:
    """A client that nobody is signed in with."""
    async with vinc_app.client() as client:
        yield client


@pytest_asyncio.fixture
async def client_as(vinc_app: VincApp, vinc_database: Database) -> AsyncGenerator[ClientAs]:
    """Make clients by role and tenant: `client_as("wholesale_admin", "acme")`."""
    from .tokens import TokenAuth

    runtime = vinc_app.application.runtime
    async with AsyncExitStack() as stack:

        def client_as(
            role: str, tenant: str, *, subject: str = "tester", settings: TenantSettingsByPlugin | None = None
        ) -> Client:
            refuse_unknown(runtime, role, settings or {})
            if tenant:
                add_tenant(runtime, vinc_database, tenant, settings)
            auth = TokenAuth(subject, role, tenant, vinc_app.clock)
            headers = {runtime.settings.service.tenant_header: tenant} if tenant else {}
            client = vinc_app.client(headers, auth=auth)
            stack.push_async_callback(client.aclose)
            return client

        yield client_as


def refuse_unknown(runtime: Runtime, role: str, settings: TenantSettingsByPlugin) -> None:
    """Raise LookupError for a role that no plugin contributes, or a setting that no plugin declares for tenants.

    Where a replacement stands in for identity, roles can have any name.
    """
    from .roles import NAME_OF_STAND_IN

    roles = runtime.permissions.roles
    if role and role not in roles and NAME_OF_STAND_IN not in {one.title for one in roles.values()}:
        cure = "name one of these, or enable the plugin that contributes it in plugins.toml"
        raise LookupError(f"no plugin contributes the role {role!r}; there are: {', '.join(sorted(roles))}; {cure}")
    fields = {name: kind.model_fields for kind, name in runtime.tenant_settings.items()}
    for plugin, values in settings.items():
        if plugin not in fields:
            what = f"no plugin {plugin!r} has settings of tenants; there are: {', '.join(sorted(fields))}"
            raise LookupError(f"{what}; write settings={{'invoices': {{'days': 5}}}}, the plugin's name first")
        if unknown := values.keys() - fields[plugin].keys():
            what = f"the plugin {plugin!r} has no tenant settings {', '.join(sorted(unknown))}"
            raise LookupError(f"{what}; it has: {', '.join(fields[plugin])}; add them to its TenantSettings")


def add_tenant(runtime: Runtime, database: Database, slug: str, settings: TenantSettingsByPlugin | None) -> None:
    """Make a tenant if it is missing, with these settings; whatever keeps tenants here."""
    from vinc_kernel.context import TenantDirectory

    from .tenants import RememberedTenants

    directory = runtime.registry.find(TenantDirectory)
    if isinstance(directory, RememberedTenants):
        directory.add(slug)
        if settings is not None:
            directory.change(slug, settings=settings)
        return
    database.add_tenant(slug)
    if settings is not None:
        database.set_tenant_settings(slug, settings)
        runtime.caches.clear()  # nobody was told
