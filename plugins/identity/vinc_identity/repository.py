"""Every query of principals. They are found before any scope is known, so their table has no row level security."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import (
    DateTime,
    Integer,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    column,
    delete,
    func,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from vinc_kernel import Session
from vinc_kernel.rest import Listing, ListQuery, Page

from .models import PERSON, SERVICE
from .models import Principal as Row
from .schemas import Stored, Untold

R = TypeVar("R")
HIGHEST = 999_999_999  # generation that a token may carry
Key = tuple[str, str]
TIME_TO_TELL = timedelta(seconds=30)  # for one worker; another one takes over what it has not confirmed by then

OUT = tuple(getattr(Row, name) for name in Stored.model_fields)
THIS_ONE = Row.id == bindparam("this")
OF_TOKEN = and_(Row.issuer == bindparam("of_issuer"), Row.subject == bindparam("of_subject"))

EVERY = select(*OUT)
ONE = EVERY.where(THIS_ONE)
BY_KEY = EVERY.where(OF_TOKEN)
PEOPLE_BY_EMAIL = EVERY.where(Row.kind == PERSON, Row.email == bindparam("named")).order_by(Row.id)
SERVICES_BY_NAME = EVERY.where(Row.kind == SERVICE, Row.name == bindparam("named")).order_by(Row.id)
EVERYBODY = EVERY.order_by(Row.kind, Row.email, Row.name, Row.id)
SERVICES = EVERY.where(Row.kind == SERVICE).order_by(Row.name, Row.id)
LISTING = Listing(
    Row,
    filters={
        "email": Row.email,
        "subject": Row.subject,
        "issuer": Row.issuer,
        "kind": Row.kind,
        "disabled": Row.disabled,
        "last_seen": Row.last_seen,
    },
    choices={"kind": (PERSON, SERVICE)},
    orders={"created_at": Row.created_at, "email": Row.email},
    order="created_at",
)

NEW = insert(Row)
ADD = NEW.on_conflict_do_nothing(index_elements=[Row.issuer, Row.subject])
REGISTER = NEW.on_conflict_do_update(
    index_elements=[Row.issuer, Row.subject], set_={"email": NEW.excluded.email, "name": NEW.excluded.name}
).returning(*OUT)

ONE_MORE = case((Row.issuer == bindparam("administered"), 1), else_=0)
DISABLE = (
    update(Row)
    .where(THIS_ONE)
    .values(disabled=True, told=False, generation=Row.generation + case((Row.disabled, 0), else_=ONE_MORE))
    .returning(*OUT)
)
ENABLE = update(Row).where(THIS_ONE).values(disabled=False, told=False).returning(*OUT)
END_SESSIONS = update(Row).where(THIS_ONE).values(generation=Row.generation + 1).returning(*OUT)
DELETE_SERVICE = delete(Row).where(THIS_ONE, Row.kind == SERVICE)
COUNTED = bindparam("counted", type_=Integer)
COUNT_ON = update(Row).where(OF_TOKEN, Row.generation < COUNTED).values(generation=func.least(COUNTED + 1, HIGHEST))
RISE = (
    update(Row)
    .where(OF_TOKEN)
    .values(generation=func.greatest(Row.generation, COUNTED), confirmed=func.greatest(Row.confirmed, COUNTED))
    .returning(*OUT)
)

IS_UNTOLD = and_(
    Row.issuer == bindparam("of_issuer"),
    or_(Row.generation > Row.confirmed, not_(Row.told)),
    or_(Row.asking_until.is_(None), Row.asking_until < func.now()),
)
NEXT = (
    select(Row.id)
    .where(IS_UNTOLD)
    .order_by(Row.asking_until.nulls_first(), Row.id)
    .limit(1)
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
TAKE_ON = update(Row).values(asking_until=func.now() + TIME_TO_TELL)
TAKE_ON = TAKE_ON.returning(*(getattr(Row, name) for name in Untold.__dataclass_fields__))
TAKE_ON_NEXT = TAKE_ON.where(Row.id == NEXT)
TAKE_ON_ONE = TAKE_ON.where(THIS_ONE, IS_UNTOLD)
CONFIRM = (
    update(Row)
    .where(THIS_ONE, Row.asking_until == bindparam("as_taken_on"))
    .values(
        confirmed=func.greatest(Row.confirmed, bindparam("of_generation", type_=Integer)),
        told=or_(Row.told, Row.disabled == bindparam("as_told")),
        asking_until=None,
    )
)

NOTED = (
    func.unnest(
        bindparam("ids", type_=ARRAY(Uuid)),
        bindparam("moments", type_=ARRAY(DateTime(timezone=True))),
        bindparam("emails", type_=ARRAY(Text)),
    )
    .table_valued(column("id", Uuid), column("moment", DateTime(timezone=True)), column("email", Text), name="noted")
    .render_derived()
)
# In one order, so that two workers that have seen the same people do not wait for each other in a circle.
SEEN = (
    select(Row.id, NOTED.c.moment, NOTED.c.email)
    .join(NOTED, NOTED.c.id == Row.id)
    .order_by(Row.id)
    .with_for_update(of=Row, key_share=True)
    .cte("seen")
)
NOTE_SEEN = (
    update(Row)
    .where(Row.id == SEEN.c.id)
    .values(last_seen=func.greatest(Row.last_seen, SEEN.c.moment), email=func.coalesce(SEEN.c.email, Row.email))
)


def of_key(key: Key) -> Mapping[str, str]:
    return {"of_issuer": key[0], "of_subject": key[1]}


async def find(db: Session, key: Key) -> Stored | None:
    """The principal with this issuer and subject."""
    return await db.one_or_none(BY_KEY, Stored, of_key(key))


async def one(db: Session, principal_id: UUID) -> Stored | None:
    """The principal with this id."""
    return await db.one_or_none(ONE, Stored, {"this": principal_id})


async def people_with(db: Session, email: str) -> list[Stored]:
    """The people with this address: as many as there are issuers that know it."""
    return await db.all(PEOPLE_BY_EMAIL, Stored, {"named": email})


async def services_called(db: Session, name: str) -> list[Stored]:
    """The service accounts of this name."""
    return await db.all(SERVICES_BY_NAME, Stored, {"named": name})


async def everybody(db: Session) -> list[Stored]:
    """All people, by their address, and then all service accounts, by name."""
    return await db.all(EVERYBODY, Stored)


async def services(db: Session) -> list[Stored]:
    """All service accounts, by name."""
    return await db.all(SERVICES, Stored)


async def page(db: Session, query: ListQuery, row: Callable[..., R]) -> Page[R]:
    """The principals that were asked for."""
    return await db.page(EVERY, row, query)


async def add(db: Session, values: Mapping[str, Any]) -> None:
    """Add a principal, unless somebody else has done so meanwhile."""
    await db.execute(ADD, values)


async def register(db: Session, values: Mapping[str, Any]) -> Stored:
    """Add a principal; of one that is there, only address and name change."""
    return await db.one(REGISTER, Stored, values)


async def disable(db: Session, principal_id: UUID, administered: str) -> Stored | None:
    """Let nobody in as this principal; where a provider administers the issuer, all sessions end as well."""
    return await db.one_or_none(DISABLE, Stored, {"this": principal_id, "administered": administered})


async def enable(db: Session, principal_id: UUID) -> Stored | None:
    """Let the principal in again."""
    return await db.one_or_none(ENABLE, Stored, {"this": principal_id})


async def end_sessions(db: Session, principal_id: UUID) -> Stored:
    """Believe none of the tokens that there are."""
    return await db.one(END_SESSIONS, Stored, {"this": principal_id})


async def delete_service(db: Session, principal_id: UUID) -> None:
    """Forget a service account: from now on it is one that nobody has registered."""
    await db.execute(DELETE_SERVICE, {"this": principal_id})


async def count_on(db: Session, key: Key, generation: int) -> None:
    """Go on counting behind this number, if it lies ahead."""
    await db.execute(COUNT_ON, {**of_key(key), "counted": generation})


async def rise(db: Session, key: Key, generation: int) -> Stored:
    """Take over this number, if it lies ahead."""
    return await db.one(RISE, Stored, {**of_key(key), "counted": generation})


async def take_on(db: Session, issuer: str, principal_id: UUID | None = None) -> Untold | None:
    """Something that the provider of this issuer must be told, of this principal or of any, and nobody else now tells.

    For as long as it is told no transaction is open: it is the caller's until `asking_until`.
    """
    if principal_id is None:
        return await db.one_or_none(TAKE_ON_NEXT, Untold, {"of_issuer": issuer})
    return await db.one_or_none(TAKE_ON_ONE, Untold, {"of_issuer": issuer, "this": principal_id})


async def confirm(db: Session, done: Untold) -> None:
    """Note that the provider has done this; what was wanted since is still to be told."""
    values = {"of_generation": done.generation, "as_told": done.disabled, "as_taken_on": done.asking_until}
    await db.execute(CONFIRM, {"this": done.id, **values})


async def note_seen(
    db: Session, ids: Sequence[UUID], moments: Sequence[datetime], emails: Sequence[str | None]
) -> None:
    """Note when these principals were seen, and with what address, where that is another one than before."""
    await db.execute(NOTE_SEEN, {"ids": ids, "moments": moments, "emails": emails})
