"""Commits whose outcome is unknown, and requests that deadlock: 503, and each is handled once.

Threats W1, W2; a commit that PostgreSQL refuses is in test_session_over_http.py.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from itertools import count

import httpx
import psycopg
import pytest
from fastapi import APIRouter
from sqlalchemy import bindparam, select, update

from vinc_kernel import OrmSession, Session, signed_in

from ..conftest import OURS, database_settings
from .proxy import Proxy, proxy_to_postgres
from .things import Name, Thing, calling, new

router = APIRouter(prefix="/things")
runs: Counter[str] = Counter()
meeting: list[asyncio.Barrier] = []  # of this test's loop
RAISE = update(Thing).where(Thing.name == bindparam("wanted")).values(qty=Thing.qty + 1)
RAISED = select(Thing).where(Thing.name == bindparam("wanted"))
ROWS = "select name, qty from things_thing order by name"
LEAST_BYTES = 20  # of the server's answer to COMMIT: that it was done, and that it listens again


@router.post("/{name}", dependencies=[signed_in], status_code=201)
async def write(name: str, db: Session) -> str:
    runs[name] += 1
    await db.execute(new(name))
    return name


@router.post("/{first}/before/{second}", dependencies=[signed_in])
async def raise_both(first: str, second: str, db: Session) -> list[Name]:
    runs[first] += 1
    await db.execute(RAISE, {"wanted": first})
    await meeting[0].wait()
    await db.execute(RAISE, {"wanted": second})
    return []


@router.post("/{first}/before/{second}/by-orm", dependencies=[signed_in])
async def raise_both_by_orm(first: str, second: str, orm: OrmSession) -> list[Name]:
    runs[first] += 1
    for name in (first, second):
        thing = (await orm.scalars(RAISED.with_for_update(), {"wanted": name})).one()
        thing.qty = (thing.qty or 0) + 1
        await orm.flush()
        if name == first:
            await meeting[0].wait()
    return []


@pytest.fixture
async def line(things_address: str, admin: psycopg.Connection) -> AsyncGenerator[tuple[Proxy, str]]:
    async with proxy_to_postgres(things_address) as made:
        yield made


@pytest.fixture
async def caller(line: tuple[Proxy, str]) -> AsyncGenerator[httpx.AsyncClient]:
    """Somebody of one tenant, before an application with two connections through the proxy."""
    runs.clear()
    meeting[:] = [asyncio.Barrier(2)]
    async with calling(database_settings(line[1], pool_size=2, max_overflow=0), router) as client:
        yield client


async def test_a_commit_whose_answer_is_cut_is_503_stored_once_and_not_repeated(
    caller: httpx.AsyncClient, line: tuple[Proxy, str], admin: psycopg.Connection
) -> None:
    proxy, _ = line
    for spared in count():
        proxy.fatal, proxy.spared = b"COMMIT\0", spared
        answer = await caller.post(f"/things/{spared:03}")
        proxy.fatal = b""
        assert (runs[f"{spared:03}"], rows_named(admin, f"{spared:03}")) == (1, 1)
        if answer.status_code == 201:  # all of it arrived
            break
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")

    assert spared > LEAST_BYTES
    assert (await caller.post("/things/next")).status_code == 201


async def test_a_statement_whose_answer_is_cut_is_503_stored_never_and_not_repeated(
    caller: httpx.AsyncClient, line: tuple[Proxy, str], admin: psycopg.Connection
) -> None:
    line[0].fatal = b"INSERT 0 1\0"
    answer = await caller.post("/things/a")
    line[0].fatal = b""

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert (runs["a"], rows_named(admin, "a")) == (1, 0)
    assert (await caller.post("/things/a")).status_code == 201


def rows_named(admin: psycopg.Connection, name: str) -> int:
    return len(admin.execute("select 1 from things_thing where name = %s", [name]).fetchall())


@pytest.mark.parametrize("by", ["", "/by-orm"], ids=["core", "orm"])
async def test_of_two_requests_that_deadlock_one_is_done_and_the_other_is_503_and_handled_once(
    caller: httpx.AsyncClient, admin: psycopg.Connection, by: str
) -> None:
    for name in ("a", "b"):
        add = "insert into things_thing (id, tenant_id, name, qty) values (gen_random_uuid(), %s, %s, 0)"
        admin.execute(add, [OURS, name])
    answers = await asyncio.gather(*(caller.post(f"/things/{pair}{by}") for pair in ("a/before/b", "b/before/a")))
    done, failed = sorted(answers, key=lambda answer: answer.status_code)

    assert (done.status_code, failed.status_code, failed.headers["retry-after"]) == (200, 503, "1")
    assert runs == {"a": 1, "b": 1}
    assert admin.execute(ROWS).fetchall() == [("a", 1), ("b", 1)]
