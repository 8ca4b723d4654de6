"""A plugin `notes` as it should be: one resource that tenants own, for tests that need one. Its tables are made here.

It maps no class, so that the metadata which all plugins of a process share stays as it was.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Column, MetaData, Table, Uuid, bindparam, delete, insert, select, update
from sqlalchemy import Text as TextColumn

from vinc_kernel import Capability, Context, Contribution, NotFound, Session, hooks, require_capabilities
from vinc_kernel.rest import Text, uuid7
from vinc_testing import Database

TABLE = """
create table {name} (
    tenant_id uuid not null default nullif(current_setting('vinc.tenant_id', true), '')::uuid,
    id uuid not null, name text not null, primary key (tenant_id, id), unique ({unique})
);
alter table {name} owner to {prefix}_owner;
alter table {name} enable row level security;
alter table {name} force row level security;
create policy vinc_tenant on {name} to {prefix}_app
    using (tenant_id = (select nullif(current_setting('vinc.tenant_id', true), '')::uuid));
create policy vinc_platform on {name} to {prefix}_platform using (true);
grant select, insert, update, delete on {name} to {prefix}_app, {prefix}_platform;
"""
NOTE = Table(
    "notes_note",
    MetaData(),
    Column("tenant_id", Uuid),
    Column("id", Uuid, primary_key=True),
    Column("name", TextColumn),
)
SHOWN = (NOTE.c.id, NOTE.c.name)
ALL = select(*SHOWN).order_by(NOTE.c.id)
ONE = select(*SHOWN).where(NOTE.c.id == bindparam("id"))
ADD = insert(NOTE).values(id=bindparam("id"), name=bindparam("name")).returning(*SHOWN)
CHANGE = update(NOTE).where(NOTE.c.id == bindparam("which")).values(name=bindparam("new")).returning(*SHOWN)
REMOVE = delete(NOTE).where(NOTE.c.id == bindparam("id"))
# Its session sees every tenant's rows, so the tenant is named.
REMOVE_ALL = delete(NOTE).where(NOTE.c.tenant_id == bindparam("tenant"))
WELCOME = "Welcome"  # what each tenant begins with

MANAGE = Capability("notes.manage", title="Write and read notes", roles=["wholesale_admin"])
router = APIRouter(prefix="/notes", tags=["notes"], dependencies=[require_capabilities(MANAGE)])


class NewNote(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Buy milk"}]})

    name: Annotated[Text, Field(min_length=1, max_length=80)]


class NoteOut(BaseModel):
    id: UUID
    name: Text


@router.get("")
async def list_notes(db: Session) -> list[NoteOut]:
    return await db.all(ALL, NoteOut)


@router.post("", status_code=201)
async def create_note(new: NewNote, db: Session) -> NoteOut:
    return await db.one(ADD, NoteOut, {"id": uuid7(), "name": new.name})


@router.get("/{id}")
async def read_note(id: UUID, db: Session) -> NoteOut:  # noqa: A002  as clients call it
    return found(await db.one_or_none(ONE, NoteOut, {"id": id}))


@router.patch("/{id}")
async def change_note(id: UUID, new: NewNote, db: Session) -> NoteOut:  # noqa: A002  as above
    return found(await db.one_or_none(CHANGE, NoteOut, {"which": id, "new": new.name}))


@router.delete("/{id}", status_code=204)
async def delete_note(id: UUID, db: Session) -> Response:  # noqa: A002  as above
    if not await db.execute(REMOVE, {"id": id}):
        raise NotFound("There is no such note.")
    return Response(status_code=204)


def found(note: NoteOut | None) -> NoteOut:
    if note is None:
        raise NotFound("There is no such note.")
    return note


@hooks.contribute
def contribute() -> Contribution:
    return Contribution(routers=[router], capabilities=[MANAGE])


@hooks.tenant_created
async def welcome(context: Context) -> None:
    await context.session.one(ADD, NoteOut, {"id": uuid7(), "name": WELCOME})


@hooks.tenant_purge
async def forget(context: Context) -> None:
    await context.session.execute(REMOVE_ALL, {"tenant": context.tenant_id})


@contextmanager
def tables(database: Database, prefix: str, names: Sequence[tuple[str, str]]) -> Generator[None]:
    """Have these tables for a while, each a name with the columns of its unique key; `prefix` is that of the roles."""
    for name, unique in names:
        database.admin.execute(TABLE.format(name=name, unique=unique, prefix=prefix).encode())
    try:
        yield
    finally:
        for name, _ in names:
            database.admin.execute(f"drop table {name}".encode())
