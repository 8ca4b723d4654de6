"""One row of one tenant over HTTP, without Vinc: the yardsticks of `./dev bench --only read`, as factories for uvicorn.

`raw` is what can be written by hand without any library above psycopg; `usual` is FastAPI's and SQLAlchemy's advice.
"""

import gc
import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Numeric, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import DateTime
from starlette.types import ASGIApp, Receive, Scope, Send

from .sso import TENANT

CONNECTIONS = 8
SCOPE = "select set_config('vinc.tenant_id', %s, true)"
COLUMNS = ("id", "tenant_id", "name", "qty", "price", "created_at", "updated_at")
READ = f"select {', '.join(COLUMNS)} from rows_row where id = %s"  # noqa: S608  made of constants
WRITE = (
    f"update rows_row set qty = qty + 1, updated_at = now() where id = %s"  # noqa: S608  as above
    f" returning {', '.join(COLUMNS)}"
)


def address() -> str:
    return os.environ["BENCH_DATABASE_URL"]


def raw() -> ASGIApp:
    """ASGI and psycopg: a transaction with the tenant set, four round trips."""
    pool = AsyncConnectionPool(
        address().replace("+psycopg", ""), min_size=CONNECTIONS, max_size=CONNECTIONS, open=False
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await live(pool, receive, send)
            return
        tenant = dict(scope["headers"])[b"x-tenant-id"].decode()
        query = READ if scope["method"] == "GET" else WRITE
        async with pool.connection() as connection, connection.transaction():
            await connection.execute(SCOPE, [tenant])
            found = await connection.execute(query, [UUID(scope["path"].rpartition("/")[2])])
            row = await found.fetchone()
        body = json.dumps(dict(zip(COLUMNS, row, strict=True)) if row else None, default=str).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200 if row else 404, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


async def live(pool: AsyncConnectionPool[Any], receive: Receive, send: Send) -> None:
    await receive()
    await pool.open(wait=True)
    gc.freeze()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await pool.close()
    await send({"type": "lifespan.shutdown.complete"})


class Base(DeclarativeBase):
    """The table, as the usual application declares it."""


class Row(Base):
    """One row, as the ORM sees it."""

    __tablename__ = "rows_row"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    qty: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), onupdate=func.now())


class RowOut(BaseModel):
    """One row, as it is answered."""

    model_config = ConfigDict(from_attributes=True)
    id: UUID
    tenant_id: UUID
    name: str
    qty: int
    price: Decimal
    created_at: datetime
    updated_at: datetime


async def session(request: Request, x_tenant_id: Annotated[str, Header()]) -> AsyncGenerator[AsyncSession]:
    async with request.app.state.make() as made, made.begin():
        await made.execute(text("select set_config('vinc.tenant_id', :tenant, true)"), {"tenant": x_tenant_id})
        yield made


def usual() -> FastAPI:
    """FastAPI with a `yield` dependency and SQLAlchemy's AsyncSession."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        engine = create_async_engine(address(), pool_size=CONNECTIONS, max_overflow=0)
        app.state.make = async_sessionmaker(engine, expire_on_commit=False)
        gc.freeze()
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.get("/api/v1/rows/{id}", response_model=RowOut)
    async def read(id: UUID, db: Annotated[AsyncSession, Depends(session)]) -> Row:  # noqa: A002  the path's name
        found = await db.scalar(select(Row).where(Row.id == id))
        if found is None:
            raise HTTPException(404)
        return found

    return app


TABLE = f"""
create table rows_row (
    tenant_id uuid not null, id uuid not null, name text not null, qty integer not null, price numeric(12, 2) not null,
    created_at timestamptz not null default now(), updated_at timestamptz not null default now(),
    primary key (tenant_id, id)
) with (fillfactor = 50);
alter table rows_row enable row level security;
alter table rows_row force row level security;
create policy tenant on rows_row to rows_app
    using (tenant_id = (select nullif(current_setting('vinc.tenant_id', true), '')::uuid));
insert into rows_row (tenant_id, id, name, qty, price)
    select ('00000000-0000-4000-8000-' || lpad(tenant::text, 12, '0'))::uuid, gen_random_uuid(), 'row ' || number, 1,
        12.5
    from generate_series(1, 100) tenant, generate_series(1, 100) number;
update rows_row set tenant_id = '{TENANT}' where tenant_id = '00000000-0000-4000-8000-000000000001';
analyze rows_row;
"""  # noqa: S608  as above
