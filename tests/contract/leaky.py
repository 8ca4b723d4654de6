"""The plugin `notes` with routes that leak, each in one way: what the walk with two tenants must find."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Path, Response, WebSocket
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Column, MetaData, Table, Uuid, bindparam, delete, insert
from sqlalchemy import Text as TextColumn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from vinc_kernel import (
    App,
    BadRequest,
    Conflict,
    Contribution,
    CurrentApp,
    NotFound,
    Session,
    hooks,
    inject,
    public,
    require_capabilities,
)
from vinc_kernel.context import context_of
from vinc_kernel.rest import IfMatch, PreconditionFailed, uuid7

from .notes import ALL, MANAGE, NOTE, ONE, NewNote, NoteOut, found
from .notes import router as good

CODE = Table("notes_code", MetaData(), Column("id", Uuid, primary_key=True), Column("name", TextColumn))
ADD_CODE = insert(CODE).values(id=bindparam("id"), name=bindparam("name")).returning(CODE)
REMOVE_ALL = delete(NOTE)
Id = UUID


@dataclass
class Remembered:
    """What a careless plugin keeps in the process, without the tenant in its key."""

    notes: list[NoteOut] = field(default_factory=list)


class Undescribed(BaseModel):
    name: str


class WrongExample(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"nom": "Buy milk"}]})

    name: str


router = APIRouter(prefix="/notes", dependencies=[require_capabilities(MANAGE)])
open_router = APIRouter(prefix="/notes", dependencies=[public("a test asks")])
Memory = Annotated[Remembered, inject(Remembered)]


async def anybodys(app: App, id: UUID) -> NoteOut | None:  # noqa: A002  as clients call it
    async with app.platform_session("a leak") as db:
        return await db.one_or_none(ONE, NoteOut, {"id": id})


@router.get("/{id}/platform")
async def reads_as_the_platform(id: Id, app: CurrentApp) -> NoteOut:  # noqa: A002  as above
    return found(await anybodys(app, id))


@router.get("/{id}/conflict")
async def says_whose_it_is_not(id: Id, db: Session, app: CurrentApp) -> NoteOut:  # noqa: A002  as above
    note = await db.one_or_none(ONE, NoteOut, {"id": id})
    if note is None and await anybodys(app, id) is not None:
        raise Conflict("It is another tenant's.")
    return found(note)


@router.get("/{id}/query")
async def asks_once_more(id: Id, db: Session, app: CurrentApp) -> NoteOut:  # noqa: A002  as above
    note = await db.one_or_none(ONE, NoteOut, {"id": id})
    if note is None and await anybodys(app, id) is not None:
        await db.all(ALL, NoteOut)
    return found(note)


@router.get("/{id}/header")
async def tells_in_a_header(id: Id, db: Session, app: CurrentApp, response: Response) -> NoteOut:  # noqa: A002  as above
    note = await db.one_or_none(ONE, NoteOut, {"id": id})
    if note is None:
        raise NotFound("There is no such note.", headers={"X-Was": str(await anybodys(app, id) is not None)})
    return note


@router.patch("/{id}/condition")
async def judges_the_condition_first(
    id: Id,  # noqa: A002  as above
    new: NewNote,
    db: Session,
    app: CurrentApp,
    if_match: Annotated[str | None, Header()] = None,
) -> NoteOut:
    if if_match and await anybodys(app, id) is not None:
        raise Conflict("The note has another version.")
    return found(await db.one_or_none(ONE, NoteOut, {"id": id}))


@router.get("/{id}/bill")
async def reads_a_bill(id: Id, db: Session, response: Response) -> NoteOut:  # noqa: A002  as above
    response.headers["ETag"] = f'"{id}"'
    return found(await db.one_or_none(ONE, NoteOut, {"id": id}))


@router.post("/{id}/bill/pay")
async def pays_what_was_seen(id: Id, expected: IfMatch, db: Session) -> NoteOut:  # noqa: A002  as above
    bill = found(await db.one_or_none(ONE, NoteOut, {"id": id}))
    if not expected.tags & {"*", f'"{id}"'}:
        raise PreconditionFailed("It is another bill.")
    return bill


@router.post("/{id}/bill/payments", status_code=201)
async def adds_a_payment_of_what_was_seen(id: Id, expected: IfMatch, db: Session) -> NoteOut:  # noqa: A002  as above
    return await pays_what_was_seen(id, expected, db)


@router.post("/{id}/seal")
@router.post("/{id}/seals", status_code=201)
async def needs_an_etag_that_nothing_answers(id: Id, expected: IfMatch, db: Session) -> NoteOut:  # noqa: A002  as above
    return found(await db.one_or_none(ONE, NoteOut, {"id": id}))


@router.delete("/{id}/everybody", status_code=204)
async def deletes_for_everybody(id: Id, app: CurrentApp) -> Response:  # noqa: A002  as above
    async with app.platform_session("a leak") as db:
        await db.execute(REMOVE_ALL)
    return Response(status_code=204)


@router.get("/remembered")
async def remembers_for_everybody(db: Session, memory: Memory) -> list[NoteOut]:
    memory.notes = memory.notes or await db.all(ALL, NoteOut)
    return memory.notes


@router.get("/etag")
async def has_an_etag_without_tenant(db: Session, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    etag = f'"{len(await db.all(ALL, NoteOut))}"'
    return Response(status_code=304 if if_none_match == etag else 200, headers={"ETag": etag})


@router.get("/shared")
async def lets_caches_keep_it(db: Session) -> Response:
    return Response("[]", headers={"Cache-Control": "public, max-age=60"})


@router.get("/{id}/broken")
async def breaks(id: Id, db: Session, app: CurrentApp) -> NoteOut:  # noqa: A002  as above
    note = await db.one_or_none(ONE, NoteOut, {"id": id})
    if note is None and await anybodys(app, id) is not None:
        raise RuntimeError("what was there was not ours")
    return found(note)


@router.post("/codes", status_code=201)
async def has_a_key_without_tenant(new: NewNote, db: Session) -> NoteOut:
    return await db.one(ADD_CODE, NoteOut, {"id": uuid7(), "name": new.name})


@router.post("/undescribed")
async def has_no_example(new: Undescribed, db: Session) -> str:
    return new.name


@router.post("/refused")
async def has_a_wrong_example(new: WrongExample, db: Session) -> str:
    return new.name


@router.get("/of/{whose}")
async def has_a_parameter_without_source(whose: str, db: Session) -> str:
    return whose


@router.get("/by-name/{name}")
async def has_a_parameter_with_source(
    name: Annotated[str, Path(json_schema_extra={"x-vinc-source": "/notes#name"})], db: Session
) -> str:
    if name not in {one.name for one in await db.all(ALL, NoteOut)}:
        raise NotFound("There is no such note.")
    return name


@router.get("/search")
async def counts_for_everybody(app: CurrentApp, name: str | None = None) -> int:
    async with app.platform_session("a leak") as db:
        return len([note for note in await db.all(ALL, NoteOut) if name in (None, note.name)])


class Part(BaseModel):
    items: list[NoteOut]
    next: str | None


@router.get("/pages")
async def turns_anybodys_pages(db: Session, limit: int = 1, cursor: str | None = None) -> Part:
    if cursor is not None and not cursor.startswith("after-"):
        raise BadRequest("This is no cursor.")
    notes = [note for note in await db.all(ALL, NoteOut) if f"after-{note.id}" > (cursor or "")]
    return Part(items=notes[:limit], next=f"/notes/pages?cursor=after-{notes[0].id}" if len(notes) > limit else None)


@open_router.get("/everybodys")
async def shows_strangers(app: CurrentApp) -> list[NoteOut]:
    async with app.platform_session("a leak") as db:
        return await db.all(ALL, NoteOut)


@router.websocket("/{id}/line")
async def lets_others_listen(line: WebSocket, id: Id, app: CurrentApp) -> None:  # noqa: A002  as above
    if await anybodys(app, id) is not None:
        await line.accept()
    await line.close(1000)


async def mounted(request: Request) -> JSONResponse:
    asked = str(request.url.path).rpartition("/")[2]
    app = context_of(request).app
    is_id = len(asked) == len(str(UUID(int=0)))
    note = await anybodys(app, UUID(asked)) if is_id else None
    return JSONResponse({}, 404 if note is None else 403)


router.mount("/notes/mounted", Starlette(routes=[Route("/{anything:path}", mounted)]))


@hooks.contribute
def contribute() -> Contribution:
    return Contribution(routers=[good, router, open_router], capabilities=[MANAGE])


@hooks.lifespan
@asynccontextmanager
async def remember(app: App) -> AsyncGenerator[None]:
    app.provide(Remembered())
    yield
