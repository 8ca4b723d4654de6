"""Two tables, their rows and statements, for the tests of sessions; tests/conftest.py makes them in the database."""

import enum
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from pydantic import BaseModel
from sqlalchemy import Enum, Numeric, bindparam, func, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.sql import Executable
from sqlalchemy.types import BigInteger, DateTime

from vinc_kernel.database.pool import Postgres
from vinc_kernel.database.scope import Scope

from ..conftest import OURS


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
