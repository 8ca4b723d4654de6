"""PostgreSQL's limits in time, a PostgreSQL that says nothing more, and a request that holds one connection only.

Threats F1, F4, F5. The limits are the role's, as an operator sets them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from time import monotonic

import httpx
import psycopg
import pytest
from fastapi import APIRouter
from psycopg import sql
from sqlalchemy import func, literal, select, text
from sqlalchemy.engine import make_url

from vinc_kernel import OrmSession, Session, signed_in
from vinc_kernel.database.postgres import Postgres
from vinc_kernel.database.scope import Scope
from vinc_kernel.database.session import DatabaseSession
from vinc_kernel.errors import Unavailable

from ..conftest import OURS, database_settings
from ..opening import postgres
from .bouncer import bouncer
from .proxy import proxy_to_postgres
from .things import COUNT, NAMES, Name, Number, Thing, add, calling, names, new

router = APIRouter(prefix="/things")
NAP = select(func.pg_sleep(0.3), literal(1).label("number"))
SECONDS_TO_CANCEL, SECONDS_UNTIL_GIVEN_UP = 1, 2
SECONDS_TO_RECOVER = 10  # what the pool begins while nobody answers is given up first
REQUESTS = 40


async def nap(db: DatabaseSession) -> None:
    await db.all(NAP, dict)


@router.get("", dependencies=[signed_in])
async def read(db: Session, orm: OrmSession) -> list[Name]:
    await db.all(NAMES, Name)
    return [Name(name) for name in await orm.scalars(NAMES)]


@router.post("/{name}", dependencies=[signed_in], status_code=201)
async def write(name: str, db: Session, orm: OrmSession) -> int:
    await db.execute(new(name))
    orm.add(Thing(tenant_id=OURS, name=f"{name} by orm"))
    await orm.flush()
    return (await db.one(COUNT, Number)).number


@router.post("/{name}/slow", dependencies=[signed_in])
async def ask_something_slow(name: str, db: Session) -> None:
    await db.execute(new(name))
    await nap(db)


@router.get("/slow", dependencies=[signed_in])
async def read_something_slow(db: Session) -> None:
    await nap(db)


@router.post("/{name}/slow/by-orm", dependencies=[signed_in])
async def ask_something_slow_by_orm(name: str, orm: OrmSession) -> None:
    orm.add(Thing(tenant_id=OURS, name=name))
    await orm.flush()
    await orm.execute(NAP)


@router.post("/{name}/locked", dependencies=[signed_in])
async def ask_for_what_is_locked(name: str, db: Session) -> None:
    await db.execute(new(name))
    await db.execute(text("select 1 from things_part"))


@router.post("/{name}/long", dependencies=[signed_in])
async def ask_for_long(name: str, db: Session) -> None:
    await db.execute(new(name))
    for _ in range(4):
        await nap(db)


@router.post("/{name}/idle", dependencies=[signed_in])
async def do_something_else(name: str, db: Session) -> None:
    await db.execute(new(name))
    await asyncio.sleep(0.4)
    await nap(db)


@router.post("/{name}/idle/then-commit", dependencies=[signed_in])
async def do_something_else_then_commit(name: str, db: Session) -> None:
    await db.execute(new(name))
    await asyncio.sleep(0.4)


# A limit, who reaches it, and what PostgreSQL calls that.
LIMITS: Mapping[str, tuple[str, str, str, str]] = {
    "statement": ("statement_timeout", "100ms", "POST /a/slow", "57014"),
    "statement that reads": ("statement_timeout", "100ms", "GET /slow", "57014"),
    "statement of the ORM's": ("statement_timeout", "100ms", "POST /a/slow/by-orm", "57014"),
    "lock": ("lock_timeout", "100ms", "POST /a/locked", "55P03"),
    "transaction": ("transaction_timeout", "600ms", "POST /a/long", "25P04"),
    "idle": ("idle_in_transaction_session_timeout", "100ms", "POST /a/idle", "25P03"),
    "idle before the commit": ("idle_in_transaction_session_timeout", "100ms", "POST /a/idle/then-commit", "25P03"),
}


@contextmanager
def limited(admin: psycopg.Connection, address: str, name: str, limit: str) -> Iterator[None]:
    """The role's limit in this database, for connections that are made from now on."""
    url = make_url(address)
    names = {key: sql.Identifier(str(value)) for key, value in [("role", url.username), ("database", url.database)]}
    alter = sql.SQL("alter role {role} in database {database} ").format(**names)
    admin.execute(alter + sql.SQL("set {} = {}").format(sql.Identifier(name), sql.Literal(limit)))
    try:
        yield
    finally:
        admin.execute(alter + sql.SQL("reset {}").format(sql.Identifier(name)))


@pytest.mark.parametrize("way", ["directly", "through PgBouncer"])
@pytest.mark.parametrize("case", LIMITS)
async def test_a_limit_that_is_reached_is_504_and_the_next_request_works(
    things_address: str, admin: psycopg.Connection, case: str, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    setting, limit, request, state = LIMITS[case]
    method, _, path = request.partition(" ")
    with ExitStack() as stack:
        stack.enter_context(limited(admin, things_address, setting, limit))
        address = things_address
        if way == "through PgBouncer":
            address = stack.enter_context(bouncer(things_address, connections=1))
        caplog.set_level(logging.INFO, "vinc.postgres")
        async with calling(database_settings(address, pool_size=1, max_overflow=0), router) as caller:
            with admin.transaction():
                admin.execute("lock table things_part in access exclusive mode")
                answer = await caller.request(method, f"/things{path}")
            before, after = await caller.get("/things"), await caller.post("/things/a")

    assert (answer.status_code, answer.json()["type"]) == (504, "urn:vinc:problem:deadline-exceeded")
    assert {found for record in caplog.records if (found := getattr(record, "sqlstate", ""))} == {state}
    assert (before.status_code, before.json()) == (200, [])
    assert after.status_code == 201


@pytest.fixture
async def single(things_address: str, admin: psycopg.Connection) -> AsyncGenerator[httpx.AsyncClient]:
    """Somebody of one tenant, before an application with one connection."""
    async with calling(database_settings(things_address, pool_size=1, max_overflow=0), router) as caller:
        yield caller


async def test_many_requests_that_use_both_kinds_of_session_share_one_connection(single: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(single.post(f"/things/{n:02}") if n % 2 else single.get("/things") for n in range(REQUESTS))
    )

    assert {answer.status_code for answer in answers} == {200, 201}
    assert len((await single.get("/things")).json()) == REQUESTS


@pytest.mark.parametrize("read_only", [True, False], ids=["reads", "writes"])
async def test_a_caller_that_cancels_does_not_wait_for_a_silent_postgresql_and_the_pool_is_whole_afterwards(
    things_address: str, admin: psycopg.Connection, *, read_only: bool
) -> None:
    async with proxy_to_postgres(f"{things_address}&connect_timeout=2") as (proxy, _):
        url = make_url(things_address).set(host="127.0.0.1", port=proxy.port, query={"connect_timeout": "2"})
        address = url.render_as_string(hide_password=False)
        async with postgres(database_settings(address, pool_size=2, max_overflow=0, pool_timeout=1)) as things:
            await add(things, "a")
            asyncio.get_running_loop().call_later(0.2, setattr, proxy, "silent", True)
            began = monotonic()
            with pytest.raises(TimeoutError):
                await nap_until_cancelled(things, Scope(OURS, read_only=read_only))
            took = monotonic() - began
            await asyncio.sleep(0.2)
            proxy.silent = False
            await until_whole(things)

            assert SECONDS_TO_CANCEL <= took < SECONDS_UNTIL_GIVEN_UP
            assert things.pool.get_stats()["pool_size"] == 2
            assert await names(things) == ["a"]


async def nap_until_cancelled(things: Postgres, scope: Scope) -> None:
    async with asyncio.timeout(SECONDS_TO_CANCEL), things.session(scope) as db:
        while True:
            await nap(db)


async def until_whole(things: Postgres) -> None:
    """Until there are two connections at once; the proxy may have swallowed what a new one began with."""
    began = monotonic()
    while True:
        units = [things.unit(Scope(OURS)) for _ in range(2)]
        try:
            await asyncio.gather(*(DatabaseSession(unit).all(NAMES, Name) for unit in units))
        except Unavailable:
            assert monotonic() - began < SECONDS_TO_RECOVER
        else:
            return
        finally:
            for unit in units:
                await unit.close()
