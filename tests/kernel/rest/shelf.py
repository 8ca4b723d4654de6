"""A plugin `shelf` with a resource that has a column of every kind, for the tests of the conventions."""

from __future__ import annotations

import enum
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from types import ModuleType
from typing import Annotated, Any
from uuid import NAMESPACE_OID, UUID, uuid5

from fastapi import APIRouter
from psycopg import sql
from pydantic import ConfigDict
from sqlalchemy import BigInteger, DateTime, Enum, Index, SmallInteger, bindparam, func, insert, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateIndex, CreateTable

from vinc_kernel import (
    App,
    Contribution,
    NotFound,
    OrmSession,
    Principal,
    PrincipalDirectory,
    Session,
    hooks,
    signed_in,
)
from vinc_kernel.plugins.arrange import Plugin
from vinc_kernel.rest import (
    AuditColumns,
    Date,
    IfMatch,
    Integer,
    Listing,
    ListQuery,
    Page,
    RequestModel,
    ResourceModel,
    Text,
    UtcDateTime,
    WithETag,
    delete_one,
    optional,
    update_one,
    uuid7,
)
from vinc_testing import Database
from vinc_testing.running import plugin_of

TENANT = "(NULLIF(current_setting('vinc.tenant_id'::text, true), ''::text))::uuid"
PROTECT = """
alter table shelf_item owner to {owner};
alter table shelf_item enable row level security;
alter table shelf_item force row level security;
create policy vinc_tenant on shelf_item to {app}
  using (tenant_id = (select nullif(current_setting('vinc.tenant_id', true), '')::uuid));
create policy vinc_platform on shelf_item to {platform} using (true);
grant select, insert, update, delete on shelf_item to {app}, {platform};
"""
ORDERED = ("name", "code", "small", "qty", "big", "open", "due", "made")


class Tables(DeclarativeBase):
    """The table of these tests only; it stays out of what all plugins of a process share."""


class Mood(enum.Enum):
    glad = "glad"
    sad = "sad"


class Item(AuditColumns, Tables):
    __tablename__ = "shelf_item"
    __table_args__ = tuple(Index(f"ix_shelf_item_{name}", "tenant_id", name, "id") for name in ORDERED)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text(TENANT))
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    name: Mapped[str] = mapped_column(default="")
    code: Mapped[UUID] = mapped_column(default=uuid7)
    small: Mapped[int] = mapped_column(SmallInteger, default=0)
    qty: Mapped[int] = mapped_column(default=0)
    big: Mapped[int] = mapped_column(BigInteger, default=0)
    open: Mapped[bool] = mapped_column(default=False)
    due: Mapped[date] = mapped_column(server_default=func.current_date())
    made: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    secret: Mapped[str] = mapped_column(default="canary-hunter2")
    note: Mapped[str | None]
    price: Mapped[Decimal] = mapped_column(default=0)
    mood: Mapped[Mood] = mapped_column(Enum(Mood, name="shelf_mood"), default=Mood.glad)
    local: Mapped[datetime] = mapped_column(server_default=func.localtimestamp())
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class NewItem(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "a"}]})

    name: Text
    qty: Integer = 0
    note: Text | None = None


class ItemChange(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"qty": 2}]})

    name: Text = optional()
    qty: Integer = optional()
    note: Text | None = optional()


class ItemOut(ResourceModel):
    name: Text
    code: UUID
    small: int
    qty: int
    big: int
    open: bool
    due: Date
    made: UtcDateTime
    note: Text | None


COLUMNS = {name: getattr(Item, name) for name in ORDERED}
LISTING = Listing(Item, filters={**COLUMNS, "note": Item.note}, orders={**COLUMNS, "id": Item.id}, order="name")
SHORT = Listing(Item, orders={"name": Item.name}, order="-name")
THERE = Item.deleted_at.is_(None)
ALL = select(Item).where(THERE)
ONE = select(Item).where(Item.id == bindparam("id"), THERE)
ADD = insert(Item).returning(Item)
DELETED_AT = update(Item).where(Item.id == bindparam("this")).values(deleted_at=bindparam("at")).returning(Item)

router = APIRouter(prefix="/shelf", tags=["shelf"], dependencies=[signed_in])
AskedForItems = Annotated[ListQuery, LISTING.query]


@router.get("")
async def list_items(db: Session, query: AskedForItems) -> Page[ItemOut]:
    return await db.page(ALL, ItemOut, query)


@router.get("/again")
async def list_items_elsewhere(db: Session, query: AskedForItems, loud: str = "") -> Page[ItemOut]:
    return await db.page(ALL, ItemOut, query)


@router.get("/short")
async def list_items_in_short(db: Session, query: Annotated[ListQuery, SHORT.query]) -> Page[dict[str, Any]]:
    return await db.page(select(Item.name), dict, query)


@router.get("/of/{name}")
async def list_items_of(name: str, db: Session, query: AskedForItems) -> Page[ItemOut]:
    return await db.page(ALL.where(Item.name == bindparam("name")), ItemOut, query, {"name": name})


@router.post("", status_code=201)
async def create_item(new: NewItem, db: Session, with_etag: WithETag) -> ItemOut:
    return with_etag.created(await db.one(ADD, ItemOut, new.model_dump()))


@router.get("/{item_id}")
async def read_item(item_id: UUID, db: Session, with_etag: WithETag) -> ItemOut:
    return with_etag(await db.one_or_none(ONE, ItemOut, {"id": item_id}))


@router.patch("/{item_id}")
async def change_item(
    item_id: UUID, change: ItemChange, expected: IfMatch, db: Session, with_etag: WithETag
) -> ItemOut:
    return with_etag(await update_one(db, Item, item_id, expected, change.sent_fields(), ItemOut))


@router.put("/{item_id}")
async def replace_item(item_id: UUID, new: NewItem, expected: IfMatch, db: Session, with_etag: WithETag) -> ItemOut:
    return with_etag(await update_one(db, Item, item_id, expected, new.model_dump(), ItemOut))


@router.patch("/{item_id}/orm")
async def change_item_by_the_orm(item_id: UUID, change: ItemChange, orm: OrmSession, with_etag: WithETag) -> ItemOut:
    found = (await orm.scalars(select(Item).where(Item.id == item_id))).one_or_none()
    if found is None:
        raise NotFound
    for name, value in change.sent_fields().items():
        setattr(found, name, value)
    await orm.flush()
    return with_etag(ItemOut.model_validate(found, from_attributes=True))


@router.delete("/{item_id}", status_code=204)
async def delete_item(item_id: UUID, expected: IfMatch, db: Session) -> None:
    await delete_one(db, Item, item_id, expected)


@router.post("/{item_id}/away")
async def put_item_away(item_id: UUID, db: Session, with_etag: WithETag) -> ItemOut:
    return with_etag(await db.one_or_none(DELETED_AT, ItemOut, {"this": item_id, "at": datetime.now().astimezone()}))


@router.post("/{item_id}/back")
async def bring_item_back(item_id: UUID, db: Session, with_etag: WithETag) -> ItemOut:
    return with_etag(await db.one_or_none(DELETED_AT, ItemOut, {"this": item_id, "at": None}))


class People:
    """Who remembers a row for everybody but strangers."""

    async def resolve(self, principal: Principal) -> Principal:
        return principal if principal.role == "stranger" else replace(principal, id=row_of(principal.subject))


def row_of(subject: str) -> UUID:
    return uuid5(NAMESPACE_OID, subject)


@hooks.contribute
def contribute() -> Contribution:
    return Contribution(routers=[router], provides=[PrincipalDirectory])


@hooks.lifespan
@asynccontextmanager
async def remember_people(app: App) -> AsyncGenerator[None]:
    app.provide(People(), PrincipalDirectory)
    yield


@contextmanager
def installed() -> Generator[Plugin]:
    """The plugin, as long as it is in this process."""
    module = ModuleType("made_shelf.plugin")
    vars(module).update(contribute=contribute, remember_people=remember_people)
    sys.modules[module.__name__] = module
    yield plugin_of("shelf", module)
    del sys.modules[module.__name__]


@contextmanager
def tables(database: Database, prefix: str) -> Generator[None]:
    """The plugin's table, under row level security."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's
    roles = {key: sql.Identifier(f"{prefix}_{key}") for key in ("owner", "app", "platform")}
    database.admin.execute("drop table if exists shelf_item; drop type if exists shelf_mood")
    database.admin.execute("create type shelf_mood as enum ('glad', 'sad')")
    made = [CreateTable(Item.__table__), *map(CreateIndex, Item.__table__.indexes)]  # type: ignore[arg-type]  # a Table
    for statement in made:
        database.admin.execute(str(statement.compile(dialect=dialect)).encode())
    database.admin.execute(sql.SQL(PROTECT).format(**roles))
    yield
    database.admin.execute("drop table shelf_item; drop type shelf_mood")
