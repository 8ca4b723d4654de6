"""The application of the plugin `shelf` and two tenants, on a real database, as the application's role."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient
from psycopg import sql

from vinc_kernel import TenantDirectory
from vinc_kernel.app import Application, create_app
from vinc_kernel.database.scope import Scope
from vinc_kernel.settings import Sources, read_settings
from vinc_testing import Database, Servers, tenants
from vinc_testing.clients import client_of
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

    def client(self, tenant: str = "acme", *, subject: str = "alice", role: str = "viewer") -> AsyncClient:
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


@pytest.fixture
def environ(vinc_servers: Servers, vinc_database: Database, vinc_worker: str) -> dict[str, str]:
    """The settings of an application on this worker's database."""
    return pointing_at(vinc_servers, vinc_database.name, vinc_worker)


@pytest.fixture
def items(vinc_servers: Servers, vinc_database: Database) -> Generator[Database]:
    """The database with the plugin's table in it, empty."""
    with shelf.tables(vinc_database, vinc_servers.prefix):
        yield vinc_database


@pytest.fixture
async def shop(environ: dict[str, str], items: Database) -> AsyncGenerator[Shop]:
    """The application, started."""
    with shelf.installed() as plugin:
        settings, _ = read_settings(Sources(environ))
        app = create_app(settings, Sources(environ), plugins=[plugin_of(TENANTS, tenants), plugin])
        async with started(app):
            yield Shop(app, items, app.runtime.registry.services[TenantDirectory])  # type: ignore[arg-type]  # the stand-in's
