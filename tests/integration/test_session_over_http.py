"""Sessions in an application: what a handler asked of the database is settled before the first byte of the answer."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import suppress
from typing import Annotated
from uuid import uuid4

import httpx
import psycopg
import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Request, Response
from sqlalchemy import insert, text
from starlette.responses import StreamingResponse

from vinc_kernel import (
    Capability,
    NotFound,
    OrmSession,
    Session,
    platform_only,
    platform_session,
    public,
    require_capabilities,
    require_roles,
    signed_in,
)

from ..conftest import OURS, database_settings
from ..credentials import credentials
from .things import NAMES, Name, Part, Thing, calling, new

router = APIRouter(prefix="/things")
around = APIRouter(dependencies=[signed_in])
attempts: list[str] = []
SERIALIZATION_FAILURE = text("do $$ begin raise serialization_failure; end $$")


@router.get("", dependencies=[signed_in])
async def read(db: Session, orm: OrmSession) -> list[Name]:
    assert len(await db.all(NAMES, Name)) == len((await orm.scalars(NAMES)).all())
    return await db.all(NAMES, Name)


@router.post("/{name}", dependencies=[signed_in], status_code=201)
async def write(name: str, db: Session) -> str:
    await db.execute(new(name))
    return name


@router.post("/{name}/refused", dependencies=[signed_in])
async def refuse(name: str, orm: OrmSession, response: Response) -> str:
    orm.add(Thing(tenant_id=OURS, name=name))
    response.status_code = 418
    return name


@router.post("/{name}/orphan", dependencies=[signed_in], status_code=201)
async def fail_at_commit(name: str, db: Session) -> str:
    await db.execute(insert(Part).values(tenant_id=OURS, thing_id=uuid4()))
    return name


@router.get("/{name}/written", dependencies=[signed_in])
async def write_in_a_get(name: str, db: Session) -> str:
    await db.execute(new(name))
    return name


@router.post("/{name}/serialization-failure", dependencies=[signed_in], status_code=201)
async def fail_to_serialize(name: str, db: Session) -> None:
    """Fail as if another transaction had come between."""
    attempts.append(name)
    await db.execute(new(name))
    await db.execute(SERIALIZATION_FAILURE)


def fail() -> None:
    raise NotFound


def failing() -> Generator[None]:
    yield
    fail()


async def half_an_answer() -> AsyncGenerator[bytes]:
    yield b"half"
    fail()


@router.post("/{name}/background", dependencies=[signed_in], status_code=201)
async def fail_in_the_background(name: str, db: Session, tasks: BackgroundTasks) -> None:
    await db.execute(new(name))
    tasks.add_task(fail)


@router.post("/{name}/stream", dependencies=[signed_in])
async def fail_in_a_stream(name: str, db: Session) -> StreamingResponse:
    await db.execute(new(name))
    return StreamingResponse(half_an_answer())


@router.get("/stream/of/rows", dependencies=[signed_in])
async def stream_rows_of_an_ended_session(db: Session) -> StreamingResponse:
    async def rows() -> AsyncGenerator[str]:
        for row in await db.all(NAMES, Name):
            yield row.name

    return StreamingResponse(rows())


@router.post("/{name}/late", dependencies=[signed_in])
async def write_when_the_credentials_are_not_valid_any_more(name: str, db: Session, request: Request) -> None:
    request.scope["vinc.authorization"].asked_at = float("-inf")
    request.scope["vinc"].request_headers = {}
    await db.execute(new(name))


@router.post("/{name}/dependency", dependencies=[signed_in, Depends(failing, scope="function")])
async def fail_in_a_dependency(name: str, db: Session) -> None:
    await db.execute(new(name))


@router.post("/{name}/closed", dependencies=[signed_in], status_code=201)
async def close_by_hand(name: str, db: Session, orm: OrmSession) -> str:
    await db.execute(new(name))
    async with orm:
        orm.add(Thing(tenant_id=OURS, name=f"{name}2"))
    return name


mounted = FastAPI()
around.mount("/things/mounted", mounted)


@mounted.post("/orphan", status_code=201)
async def fail_at_commit_in_a_mount(db: Session) -> None:
    await db.execute(insert(Part).values(tenant_id=OURS, thing_id=uuid4()))


@mounted.post("/{name}", status_code=201)
async def write_in_a_mount(name: str, db: Session) -> None:
    await db.execute(new(name))


@mounted.get("/platform")
async def read_above_tenants(db: Annotated[Session, platform_session("count everything")]) -> list[Name]:
    return await db.all(NAMES, Name)


@mounted.get("/only", dependencies=[platform_only])
async def be_of_the_platform() -> None: ...


@mounted.get("/role", dependencies=[require_roles("super_admin")])
async def have_a_role() -> None: ...


@mounted.get("/capability", dependencies=[require_capabilities(Capability("things.count", title="Count"))])
async def have_a_capability() -> None: ...


@mounted.get("/mine", dependencies=[signed_in])
async def be_somebody() -> None: ...


@router.get("/left/alone", dependencies=[signed_in])
async def leave_a_statement_alone(db: Session) -> None:
    await asyncio.gather(conflict(), db.all(text("select 1 as a"), dict))


async def conflict() -> None:
    raise HTTPException(409)


@router.get("/open", dependencies=[public("to see what a public route gets")])
async def read_in_public(db: Session) -> list[Name]:
    return await db.all(NAMES, Name)


@pytest.fixture
async def caller(things_address: str, admin: psycopg.Connection) -> AsyncGenerator[httpx.AsyncClient]:
    """Somebody of one tenant, before an application with one connection."""
    settings = database_settings(things_address, pool_size=1, max_overflow=0)
    async with calling(settings, router, around) as client:
        yield client


async def test_what_was_written_is_there_when_the_answer_comes(caller: httpx.AsyncClient) -> None:
    assert (await caller.post("/things/a")).status_code == 201
    assert (await caller.get("/things")).json() == [{"name": "a"}]


async def test_an_answer_of_400_or_more_undoes_what_was_written(caller: httpx.AsyncClient) -> None:
    assert (await caller.post("/things/a/refused")).status_code == 418
    assert (await caller.get("/things")).json() == []


async def test_a_stream_that_uses_an_ended_session_is_500_before_its_first_byte(
    caller: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await caller.get("/things/stream/of/rows")).status_code == 500
    assert "use app.session() for what comes after the answer" in str(caplog.records[-1].exc_info)


async def test_a_first_statement_asks_again_who_calls(caller: httpx.AsyncClient) -> None:
    assert (await caller.post("/things/a/late")).status_code == 401
    assert (await caller.get("/things")).json() == []


async def test_a_commit_that_fails_is_the_answer(caller: httpx.AsyncClient) -> None:
    answer = await caller.post("/things/a/orphan")

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:vinc:problem:conflict")


async def test_a_write_in_a_get_is_500_and_changes_nothing(caller: httpx.AsyncClient) -> None:
    assert (await caller.get("/things/a/written")).status_code == 500
    assert (await caller.get("/things")).json() == []


async def test_a_conflict_is_409_and_a_name_that_cannot_be_stored_is_422(caller: httpx.AsyncClient) -> None:
    await caller.post("/things/a")

    assert (await caller.post("/things/a")).status_code == 409
    assert (await caller.post("/things/a%00b")).status_code == 422
    assert (await caller.get("/things")).json() == [{"name": "a"}]


async def test_a_public_route_without_a_tenant_says_what_is_missing(caller: httpx.AsyncClient) -> None:
    answer = await caller.get("/things/open", headers=credentials("somebody;viewer;"))

    assert answer.status_code == 400
    assert "X-Tenant-ID" in answer.json()["detail"]


async def test_a_statement_that_a_failing_handler_left_alone_keeps_no_connection(caller: httpx.AsyncClient) -> None:
    for _ in range(4):
        assert (await caller.get("/things/left/alone")).status_code == 409

    assert (await caller.get("/things")).status_code == 200


async def test_a_request_that_another_overtook_is_503_handled_once_and_stores_nothing(
    caller: httpx.AsyncClient,
) -> None:
    attempts.clear()
    answer = await caller.post("/things/a/serialization-failure")

    assert (answer.status_code, answer.headers["retry-after"], attempts) == (503, "1", ["a"])
    assert (await caller.get("/things")).json() == []


@pytest.mark.parametrize("where", ["background", "stream"])
async def test_what_fails_after_the_commit_leaves_what_was_written(caller: httpx.AsyncClient, where: str) -> None:
    with suppress(NotFound, AssertionError):  # the answer has begun, so that it cannot be another one
        await caller.post(f"/things/a/{where}")

    assert (await caller.get("/things")).json() == [{"name": "a"}]


async def test_what_a_dependency_refuses_after_the_handler_is_not_stored(caller: httpx.AsyncClient) -> None:
    assert (await caller.post("/things/a/dependency")).status_code == 404
    assert (await caller.get("/things")).json() == []


async def test_closing_the_orms_session_by_hand_loses_nothing_in_silence(caller: httpx.AsyncClient) -> None:
    assert (await caller.post("/things/a/closed")).status_code == 500
    assert (await caller.get("/things")).json() == []


@pytest.mark.parametrize("path", ["platform", "only", "role", "capability"])
async def test_a_guard_inside_of_a_mounted_application_is_asked(caller: httpx.AsyncClient, path: str) -> None:
    answer = await caller.get(f"/things/mounted/{path}")

    assert (answer.status_code, answer.json()["type"]) == (403, "urn:vinc:problem:forbidden")
    assert (await caller.get("/things/mounted/mine")).status_code == 200


async def test_a_mounted_application_answers_when_its_session_is_settled(caller: httpx.AsyncClient) -> None:
    assert (await caller.post("/things/mounted/orphan")).status_code == 409
    assert (await caller.post("/things/mounted/a")).status_code == 201
    assert (await caller.get("/things")).json() == [{"name": "a"}]
