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

from .clients import ClientAs
from .databases import Database
from .servers import Servers

if TYPE_CHECKING:
    from httpx import AsyncClient

    from vinc_kernel.app import Application

    from .tokens import MakeToken
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
def vinc_make_app(  # noqa: PLR0913, PLR0917  fixtures are what pytest hands it
    vinc_servers: Servers,
    vinc_database: Database,
    vinc_environment: Mapping[str, str],
    vinc_plugins: Mapping[str, ModuleType],
    vinc_worker: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], Application]:
    """Make an application of every enabled plugin, in VINC_ENV=test, not started."""
    from .running import made, pointing_at

    for module in vinc_plugins.values():
        monkeypatch.setitem(sys.modules, module.__name__, module)  # where a plugin is imported from
    environ = {**pointing_at(vinc_servers, vinc_database.name, vinc_worker), **vinc_environment}
    return lambda: made(environ, vinc_plugins)


@pytest_asyncio.fixture
async def vinc_app(vinc_make_app: Callable[[], Application]) -> AsyncGenerator[Application]:
    """The application of every enabled plugin, started, in VINC_ENV=test."""
    from .running import started

    async with started(vinc_make_app()) as app:
        yield app


@pytest_asyncio.fixture
async def vinc_second_app(
    vinc_app: Application,  # noqa: ARG001  the first one is there already
    vinc_make_app: Callable[[], Application],
) -> AsyncGenerator[Application]:
    """Another worker of the same installation, with connections and caches of its own."""
    from .running import started

    async with started(vinc_make_app()) as app:
        yield app


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each route, where a test asks for `two_tenants`."""
    if "two_tenants" in metafunc.fixturenames:
        from .running import made
        from .walk import route_names

        metafunc.parametrize("two_tenants", route_names(made({}, {})), indirect=True)


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
    from .running import made, pointing_at
    from .walk import TwoTenants

    environ = {**pointing_at(vinc_servers, vinc_worker_database.name, vinc_worker), **vinc_environment}
    harness = _vinc_shared_harness.start(lambda more: made({**environ, **more}, {}), vinc_worker_database, environ)
    return TwoTenants(harness=harness, route=request.param)


@pytest.fixture
def vinc_token() -> MakeToken:
    """Make access tokens that VINC_ENV=test believes: `vinc_token("alice", "viewer", ["acme"])`."""
    from .tokens import token

    return token


@pytest_asyncio.fixture
async def client(vinc_app: Application) -> AsyncGenerator[AsyncClient]:
    """A client that nobody is signed in with."""
    from .clients import client_of

    async with client_of(vinc_app, {}) as made:
        yield made


@pytest_asyncio.fixture
async def client_as(vinc_app: Application, vinc_database: Database) -> AsyncGenerator[ClientAs]:
    """Make clients by role and tenant: `client_as("wholesale_admin", "acme")`."""
    from vinc_kernel.context import TenantDirectory

    from .clients import client_of
    from .tenants import RememberedTenants
    from .tokens import bearer

    directory = vinc_app.services.find(TenantDirectory)
    header = vinc_app.services.settings.service.tenant_header
    async with AsyncExitStack() as stack:

        def client_as(role: str, tenant: str, *, subject: str = "tester") -> AsyncClient:
            if isinstance(directory, RememberedTenants):
                directory.add(tenant)
            else:
                vinc_database.add_tenant(tenant)
            made = client_of(vinc_app, bearer(subject, role, [tenant]) | {header: tenant})
            stack.push_async_callback(made.aclose)
            return made

        yield client_as
