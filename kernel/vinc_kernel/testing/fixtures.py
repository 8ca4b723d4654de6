"""The fixtures, each named by what it gives."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from .clients import ClientAs
from .databases import Database
from .servers import Servers

if TYPE_CHECKING:
    from httpx import AsyncClient

    from ..app import Application

REDIS_DATABASES = 16  # Valkey's and Redis' default


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


@pytest_asyncio.fixture
async def vinc_app(
    vinc_servers: Servers, vinc_database: Database, vinc_environment: Mapping[str, str], vinc_worker: str
) -> AsyncGenerator[Application]:
    """The application of every enabled plugin, started, in VINC_ENV=test."""
    from ..app import create_app
    from ..plugins.arrange import arrange
    from ..settings import Sources, read_settings
    from .clients import in_one_task
    from .databases import environment
    from .tenants import NAME, stand_in

    number = int(vinc_worker.removeprefix("gw")) if vinc_worker.startswith("gw") else 0
    redis = vinc_servers.redis_database(number % REDIS_DATABASES)
    sources = Sources({**os.environ, **environment(vinc_servers, vinc_database.name, redis), **vinc_environment})
    settings, _ = read_settings(sources)
    plugins = arrange(settings)
    if not any(plugin.name == NAME for plugin in plugins):
        plugins.append(stand_in())
    app = create_app(settings, sources, plugins=plugins)
    async with in_one_task(app.lifespan()):
        if app.services.redis is not None:
            await app.services.redis.flushdb()
        yield app


@pytest_asyncio.fixture
async def client(vinc_app: Application) -> AsyncGenerator[AsyncClient]:
    """A client that nobody is signed in with."""
    from .clients import client_of

    async with client_of(vinc_app, {}) as made:
        yield made


@pytest_asyncio.fixture
async def client_as(vinc_app: Application, vinc_database: Database) -> AsyncGenerator[ClientAs]:
    """Make clients by role and tenant: `client_as("wholesale_admin", "acme")`."""
    from ..context import TenantDirectory
    from .clients import client_of
    from .tenants import RememberedTenants

    directory = vinc_app.services.find(TenantDirectory)
    header = vinc_app.services.settings.service.tenant_header
    async with AsyncExitStack() as stack:

        def client_as(role: str, tenant: str, *, subject: str = "tester") -> AsyncClient:
            if isinstance(directory, RememberedTenants):
                directory.add(tenant)
            else:
                vinc_database.add_tenant(tenant)
            made = client_of(vinc_app, {"Authorization": f"Dev {subject};{role};{tenant}", header: tenant})
            stack.push_async_callback(made.aclose)
            return made

        yield client_as
