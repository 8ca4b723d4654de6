"""The application of the plugin `shelf` and two tenants, on a real database, as the application's role."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from psycopg import sql

from vinc_kernel import TenantDirectory
from vinc_kernel.app import Application, create_app
from vinc_kernel.database.scope import Scope
from vinc_kernel.settings import Sources, read_settings
from vinc_testing import Database, Servers, tenants
from vinc_testing.clients import Client, client_of
from vinc_testing.running import TENANTS, plugin_of, pointing_at, started
from vinc_testing.tenants import RememberedTenants

from ...credentials import credentials
from . import shelf


@dataclass(frozen=True)
class Shop:
    """The application, its tenants by slug, and the database behind it."""

    app: Application
    database: Database
    tenants: RememberedTenants

    def id(self, tenant: str) -> UUID:
        return self.tenants.add(tenant).id

    def client(self, tenant: str = "acme", *, subject: str = "alice", role: str = "viewer") -> Client:
        """Somebody of both tenants, who works in one of them."""
        self.id(tenant)
        headers = credentials(f"{subject};{role};acme,other") | {"X-Tenant-ID": tenant}
        return client_of(self.app, "/api/v1", headers)

    def session(self, tenant: str = "acme", *, actor: UUID | None = None) -> Any:
        return self.app.runtime.database.session(Scope(self.id(tenant), actor=actor))

    def put(self, *rows: Mapping[str, Any], tenant: str = "acme") -> list[UUID]:
        """Rows as they are, written behind the application's back; their ids."""
        return [self.put_one({"tenant_id": self.id(tenant), **row}) for row in rows]

    def put_one(self, row: Mapping[str, Any]) -> UUID:
        given = {column.name: default_of(column) for column in shelf.Item.__table__.columns}
        given = {name: value for name, value in {**given, **row}.items() if value is not None}
        statement = sql.SQL("insert into shelf_item ({}) values ({}) returning id").format(
            sql.SQL(", ").join(map(sql.Identifier, given)), sql.SQL(", ").join(map(sql.Placeholder, given))
        )
        ((made,),) = self.database.admin.execute(statement, given).fetchall()
        return UUID(str(made))


def default_of(column: Any) -> Any:
    """What the model would put there; the database does the rest."""
    if column.default is None:
        return None
    value = column.default.arg(None) if column.default.is_callable else column.default.arg
    return getattr(value, "name", value)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a module run on one event loop: the application, which they share, lives on it."""
    for item in items:
        if Path(__file__).parent in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)


@pytest.fixture(scope="module")
def environ(vinc_servers: Servers, vinc_worker_database: Database, vinc_worker: str) -> dict[str, str]:
    """The settings of an application on this worker's database."""
    return pointing_at(vinc_servers, vinc_worker_database.name, vinc_worker)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_shop(
    environ: dict[str, str], vinc_servers: Servers, vinc_worker_database: Database
) -> AsyncGenerator[Shop]:
    """The application, started, on the database with the plugin's table in it."""
    with shelf.tables(vinc_worker_database, vinc_servers.prefix), shelf.installed() as plugin:
        settings, _ = read_settings(Sources(environ))
        app = create_app(settings, Sources(environ), plugins=[plugin_of(TENANTS, tenants), plugin])
        async with started(app):
            yield Shop(app, vinc_worker_database, app.runtime.registry.services[TenantDirectory])  # type: ignore[arg-type]  # the stand-in's


@pytest.fixture
def shop(shared_shop: Shop, vinc_database: Database) -> Shop:
    """The application, and nothing in its tables."""
    vinc_database.admin.execute("truncate shelf_item")
    return shared_shop


@pytest_asyncio.fixture(loop_scope="module")
async def client(shop: Shop) -> AsyncGenerator[Client]:
    """Alice, who works in acme."""
    async with shop.client() as opened:
        yield opened
