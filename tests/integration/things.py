"""Two tables, their rows, statements and an application on them; tests/conftest.py makes them in the database."""

import asyncio
import enum
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import httpx
import uvicorn
from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import Enum, Numeric, bindparam, func, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.sql import Executable
from sqlalchemy.types import BigInteger, DateTime

from vinc_kernel import App, Contribution, Tenant, TenantDirectory, hooks
from vinc_kernel.app import Application, create_app
from vinc_kernel.database.postgres import Postgres
from vinc_kernel.database.scope import Scope
from vinc_kernel.settings import DatabaseSettings, KernelSettings, ServiceSettings
from vinc_testing.running import plugin_of

from ..conftest import OURS, THEIRS
from ..credentials import JWT, credentials


class Mood(enum.Enum):
    glad = "glad"
    sad = "sad"


class Tables(DeclarativeBase):
    """Tables of these tests only."""


class Thing(Tables):
    __tablename__ = "things_thing"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    tenant_id: Mapped[UUID]
    name: Mapped[str]
    qty: Mapped[int | None] = mapped_column(default=7, onupdate=8)
    big: Mapped[int | None] = mapped_column(BigInteger)
    price: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    mood: Mapped[Mood | None] = mapped_column(Enum(Mood, name="things_mood", create_type=False))
    data: Mapped[Any | None] = mapped_column(JSONB)
    made: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Part(Tables):
    __tablename__ = "things_part"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    tenant_id: Mapped[UUID]
    thing_id: Mapped[UUID]


@dataclass(frozen=True)
class Row:
    id: UUID
    tenant_id: UUID
    name: str
    qty: int | None
    big: int | None
    price: Decimal | None
    mood: Mood | None
    data: Any
    made: datetime | None


@dataclass(frozen=True)
class Name:
    name: str


@dataclass(frozen=True)
class Number:
    number: int


@dataclass(frozen=True)
class Who:
    tenant_id: UUID


class NameModel(BaseModel):
    name: str


ALL = select(Thing).order_by(Thing.name, Thing.id)
NAMES = select(Thing.name).order_by(Thing.name)
NAMED = select(Thing).where(Thing.name == bindparam("name"))
TENANTS = select(Thing.tenant_id).distinct()
COUNT = select(func.count().label("number")).select_from(Thing)
ADD = insert(Thing).returning(Thing)
SLEEP = select(func.pg_sleep(bindparam("seconds")), Thing.tenant_id).limit(1)


def new(name: str, tenant: UUID = OURS, **more: object) -> Executable:
    return insert(Thing).values(name=name, tenant_id=tenant, **more).returning(Thing)


async def add(things: Postgres, *names: str, tenant: UUID = OURS) -> None:
    async with things.session(Scope(tenant)) as db:
        await db.execute(insert(Thing).values([{"name": name, "tenant_id": tenant} for name in names]))


async def names(things: Postgres, tenant: UUID = OURS) -> list[str]:
    async with things.session(Scope(tenant)) as db:
        return [row.name for row in await db.all(NAMES, Name)]


TENANTS_BY_SLUG = {
    slug: Tenant(id=key, slug=slug, name=slug.title())
    for slug, key in {"acme": OURS, "globex": THEIRS, "initech": UUID(int=12)}.items()
}


class ThreeTenants:
    async def find(self, key: UUID | str) -> Tenant | None:
        return next((one for one in TENANTS_BY_SLUG.values() if key in (one.id, one.slug)), None)


@asynccontextmanager
async def application(database: DatabaseSettings, *routers: APIRouter) -> AsyncGenerator[Application]:
    """Yield an application with three tenants and these routes, which has started."""

    @hooks.contribute
    def contribute() -> Contribution:
        return Contribution(routers=routers, provides=[TenantDirectory])

    @hooks.lifespan
    @asynccontextmanager
    async def lifespan(app: App) -> AsyncGenerator[None]:
        app.provide(ThreeTenants(), TenantDirectory)
        yield

    module = ModuleType("made_things.plugin")
    vars(module).update(contribute=contribute, lifespan=lifespan)
    sys.modules[module.__name__] = module
    settings = KernelSettings(service=ServiceSettings.model_validate({"env": "test"}), jwt=JWT, database=database)
    app = create_app(settings, plugins=[plugin_of("things", module)])
    try:
        async with app.lifespan():
            yield app
    finally:
        del sys.modules[module.__name__]


@asynccontextmanager
async def calling(database: DatabaseSettings, *routers: APIRouter) -> AsyncGenerator[httpx.AsyncClient]:
    """Yield somebody of the first tenant, who calls an application with these routes."""
    async with application(database, *routers) as app, caller_of(app) as client:
        yield client


def caller_of(app: Application, tenant: str = "acme") -> httpx.AsyncClient:
    headers = credentials(f"somebody;viewer;{tenant}")
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test/api/v1", headers=headers)


@asynccontextmanager
async def listening(app: Application) -> AsyncGenerator[int]:
    """Yield the port on which a real server serves the application, which has started."""
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await serving
