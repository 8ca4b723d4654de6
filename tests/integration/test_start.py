"""What a server does once it is about to serve, and what lives on beside its requests."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi import APIRouter
from sqlalchemy import bindparam, func, select
from starlette.types import Message

from vinc_kernel import OrmSession, Session, signed_in
from vinc_kernel.app import create_app
from vinc_kernel.context import Context, current
from vinc_kernel.settings import Sources, read_settings
from vinc_testing import Database, Servers
from vinc_testing.databases import environment

from ..conftest import database_settings
from .things import NAMES, TENANTS_BY_SLUG, Name, application, caller_of

router = APIRouter(prefix="/things")
NAP = select(func.pg_sleep(bindparam("seconds")))
KILL_ALL = """
select pg_terminate_backend(pid, 1000) from pg_stat_activity
where application_name = 'vinc' and datname = current_database()
"""


async def test_what_is_there_when_it_serves_is_collected_no_more(
    vinc_servers: Servers, vinc_database: Database
) -> None:
    sources = Sources(environment(vinc_servers, vinc_database.name))
    app = create_app(read_settings(sources)[0], sources, plugins=[])
    told: asyncio.Queue[Message] = asyncio.Queue()
    asked: asyncio.Queue[Message] = asyncio.Queue()
    asked.put_nowait({"type": "lifespan.startup"})
    frozen = gc.get_freeze_count()
    try:
        living = asyncio.create_task(app({"type": "lifespan"}, asked.get, told.put))
        assert (await told.get())["type"] == "lifespan.startup.complete"
        assert gc.get_freeze_count() > frozen
        asked.put_nowait({"type": "lifespan.shutdown"})
        await living
    finally:
        gc.unfreeze()


@pytest.mark.parametrize(("names", "warned"), [(("tenants", "identity"), True), (("health",), False)])
async def test_where_nobody_can_sign_in_it_says_so(
    vinc_servers: Servers,
    vinc_database: Database,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    names: Sequence[str],
    warned: bool,
) -> None:
    manifest = tmp_path / "plugins.toml"
    manifest.write_text("".join(f"[plugins.{name}]\n" for name in names))
    given = {
        **environment(vinc_servers, vinc_database.name),
        "VINC_PLUGINS_FILE": str(manifest),
        "VINC_JWT_TEST_SECRET": "",
    }
    sources = Sources(given)
    async with create_app(read_settings(sources)[0], sources).lifespan():
        told = [line for line in caplog.messages if line.startswith("nobody can sign in")]

    assert bool(told) == warned


@router.get("", dependencies=[signed_in])
async def read(seconds: float, db: Session, orm: OrmSession) -> list[Name]:
    await db.all(NAP, dict, {"seconds": seconds})
    return [Name(name) for name in await orm.scalars(NAMES)]


async def test_after_requests_of_three_tenants_no_task_and_no_timer_knows_of_one(
    things_address: str, admin: psycopg.Connection
) -> None:
    """Threats I22: the pool has grown, replaced killed connections and abandoned cancelled ones meanwhile."""
    settings = database_settings(things_address, pool_size=1, max_overflow=3)
    async with application(settings, router) as app:
        clients = [caller_of(app, tenant) for tenant in TENANTS_BY_SLUG]
        answers = await asyncio.gather(*(client.get("/things?seconds=0.01") for client in clients * 4))
        given_up = [asyncio.create_task(client.get("/things?seconds=9")) for client in clients]
        await asyncio.sleep(0.05)
        during = known()
        for task in given_up:
            task.cancel()
        await asyncio.wait(given_up)
        admin.execute(KILL_ALL)
        answers += await asyncio.gather(*(client.get("/things?seconds=0.01") for client in clients * 4))
        for client in clients:
            await client.aclose()
        after, others = known(), len(asyncio.all_tasks()) - 1

    assert {answer.status_code for answer in answers} == {200}
    assert {context.tenant.slug for context in during if context.tenant} == {*TENANTS_BY_SLUG}  # it would be found
    assert after == []
    assert others > 3


def known() -> list[Context]:
    """The requests that tasks other than this one, and timers, know of."""
    loop: Any = asyncio.get_running_loop()
    held = [context_of(task) for task in asyncio.all_tasks() - {asyncio.current_task()}]
    timers = [timer._context for timer in loop._scheduled if not timer.cancelled()]
    return [found for one in [*held, *timers] if (found := one.get(current)) is not None]


def context_of(task: Any) -> contextvars.Context:
    """What a task runs in; before Python 3.12 the collector alone knows, who visits it before those of call-backs."""
    if hasattr(task, "get_context"):
        return task.get_context()
    return next(one for one in gc.get_referents(task) if isinstance(one, contextvars.Context))
