"""The queries of principals. A principal is found before any scope is known: its table has no row level security."""

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
from .schemas import PendingSync, StoredPrincipal

R = TypeVar("R")
MAX_GENERATION = 999_999_999  # that a token may have
Key = tuple[str, str]
LEASE = timedelta(seconds=30)  # of one worker; another one takes over what is not synchronised by then

COLUMNS = tuple(getattr(Row, name) for name in StoredPrincipal.model_fields)
HAS_ID = Row.id == bindparam("by_id")
HAS_KEY = and_(Row.issuer == bindparam("by_issuer"), Row.subject == bindparam("by_subject"))

ALL = select(*COLUMNS)
ONE = ALL.where(HAS_ID)
BY_KEY = ALL.where(HAS_KEY)
PEOPLE_BY_EMAIL = ALL.where(Row.kind == PERSON, Row.email == bindparam("by_email")).order_by(Row.id)
SERVICES_BY_NAME = ALL.where(Row.kind == SERVICE, Row.name == bindparam("by_name")).order_by(Row.id)
ALL_ORDERED = ALL.order_by(Row.kind, Row.email, Row.name, Row.id)
SERVICES = ALL.where(Row.kind == SERVICE).order_by(Row.name, Row.id)
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
).returning(*COLUMNS)

ONE_IF_MANAGED = case((Row.issuer == bindparam("managed_issuer"), 1), else_=0)
DISABLE = (
    update(Row)
    .where(HAS_ID)
    .values(
        disabled=True,
        provider_synced=False,
        generation=Row.generation + case((Row.disabled, 0), else_=ONE_IF_MANAGED),
    )
    .returning(*COLUMNS)
)
ENABLE = update(Row).where(HAS_ID).values(disabled=False, provider_synced=False).returning(*COLUMNS)
END_SESSIONS = update(Row).where(HAS_ID).values(generation=Row.generation + 1).returning(*COLUMNS)
DELETE_SERVICE = delete(Row).where(HAS_ID, Row.kind == SERVICE)
TOKEN_GENERATION = bindparam("token_generation", type_=Integer)
PASS_GENERATION = (
    update(Row)
    .where(HAS_KEY, Row.generation < TOKEN_GENERATION)
    .values(generation=func.least(TOKEN_GENERATION + 1, MAX_GENERATION))
)
ADOPT_GENERATION = (
    update(Row)
    .where(HAS_KEY)
    .values(
        generation=func.greatest(Row.generation, TOKEN_GENERATION),
        provider_generation=func.greatest(Row.provider_generation, TOKEN_GENERATION),
    )
    .returning(*COLUMNS)
)

IS_DUE = and_(
    Row.issuer == bindparam("by_issuer"),
    or_(Row.generation > Row.provider_generation, not_(Row.provider_synced)),
    or_(Row.lease_expires_at.is_(None), Row.lease_expires_at < func.now()),
)
NEXT_DUE = (
    select(Row.id)
    .where(IS_DUE)
    .order_by(Row.lease_expires_at.nulls_first(), Row.id)
    .limit(1)
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
CLAIM = update(Row).values(lease_expires_at=func.now() + LEASE)
CLAIM = CLAIM.returning(*(getattr(Row, name) for name in PendingSync.__dataclass_fields__))
CLAIM_NEXT = CLAIM.where(Row.id == NEXT_DUE)
CLAIM_ONE = CLAIM.where(HAS_ID, IS_DUE)
COMPLETE = (
    update(Row)
    .where(HAS_ID, Row.lease_expires_at == bindparam("lease"))
    .values(
        provider_generation=func.greatest(Row.provider_generation, bindparam("sent_generation", type_=Integer)),
        provider_synced=or_(Row.provider_synced, Row.disabled == bindparam("sent_disabled")),
        lease_expires_at=None,
    )
)

SEEN = (
    func.unnest(
        bindparam("ids", type_=ARRAY(Uuid)),
        bindparam("times", type_=ARRAY(DateTime(timezone=True))),
        bindparam("emails", type_=ARRAY(Text)),
    )
    .table_valued(column("id", Uuid), column("time", DateTime(timezone=True)), column("email", Text), name="seen")
    .render_derived()
)
# Locked in one order, so that two workers that have seen the same people do not deadlock.
LOCKED = (
    select(Row.id, SEEN.c.time, SEEN.c.email)
    .join(SEEN, SEEN.c.id == Row.id)
    .order_by(Row.id)
    .with_for_update(of=Row, key_share=True)
    .cte("locked")
)
UPDATE_LAST_SEEN = (
    update(Row)
    .where(Row.id == LOCKED.c.id)
    .values(last_seen=func.greatest(Row.last_seen, LOCKED.c.time), email=func.coalesce(LOCKED.c.email, Row.email))
)


def by_key(key: Key) -> Mapping[str, str]:
    return {"by_issuer": key[0], "by_subject": key[1]}


async def find(db: Session, key: Key) -> StoredPrincipal | None:
    return await db.one_or_none(BY_KEY, StoredPrincipal, by_key(key))


async def get(db: Session, principal_id: UUID) -> StoredPrincipal | None:
    return await db.one_or_none(ONE, StoredPrincipal, {"by_id": principal_id})


async def list_people_by_email(db: Session, email: str) -> list[StoredPrincipal]:
    """Return the people with this address, one for each issuer that knows it."""
    return await db.all(PEOPLE_BY_EMAIL, StoredPrincipal, {"by_email": email})


async def list_services_by_name(db: Session, name: str) -> list[StoredPrincipal]:
    return await db.all(SERVICES_BY_NAME, StoredPrincipal, {"by_name": name})


async def list_all(db: Session) -> list[StoredPrincipal]:
    """Return all people by address, then all service accounts by name."""
    return await db.all(ALL_ORDERED, StoredPrincipal)


async def list_services(db: Session) -> list[StoredPrincipal]:
    return await db.all(SERVICES, StoredPrincipal)


async def page(db: Session, query: ListQuery, row: Callable[..., R]) -> Page[R]:
    return await db.page(ALL, row, query)


async def add(db: Session, values: Mapping[str, Any]) -> None:
    """Add a principal, unless it exists."""
    await db.execute(ADD, values)


async def register(db: Session, values: Mapping[str, Any]) -> StoredPrincipal:
    """Add a principal, or update address and name of an existing one."""
    return await db.one(REGISTER, StoredPrincipal, values)


async def disable(db: Session, principal_id: UUID, managed_issuer: str) -> StoredPrincipal | None:
    """Disable a principal; where its issuer is managed here, its sessions end too."""
    return await db.one_or_none(DISABLE, StoredPrincipal, {"by_id": principal_id, "managed_issuer": managed_issuer})


async def enable(db: Session, principal_id: UUID) -> StoredPrincipal | None:
    return await db.one_or_none(ENABLE, StoredPrincipal, {"by_id": principal_id})


async def end_sessions(db: Session, principal_id: UUID) -> StoredPrincipal:
    """Make all existing tokens of a principal invalid."""
    return await db.one(END_SESSIONS, StoredPrincipal, {"by_id": principal_id})


async def delete_service(db: Session, principal_id: UUID) -> None:
    await db.execute(DELETE_SERVICE, {"by_id": principal_id})


async def pass_generation(db: Session, key: Key, generation: int) -> None:
    """Set the generation to the number after this one, if it is behind."""
    await db.execute(PASS_GENERATION, {**by_key(key), "token_generation": generation})


async def adopt_generation(db: Session, key: Key, generation: int) -> StoredPrincipal:
    """Set the generation to this number, if it is behind."""
    return await db.one(ADOPT_GENERATION, StoredPrincipal, {**by_key(key), "token_generation": generation})


async def claim(db: Session, issuer: str, principal_id: UUID | None = None) -> PendingSync | None:
    """Lease a principal that is not synchronised with the provider of this issuer: this one, or the next that is due.

    No transaction is open while the provider is called: the lease belongs to the caller until `lease_expires_at`.
    """
    if principal_id is None:
        return await db.one_or_none(CLAIM_NEXT, PendingSync, {"by_issuer": issuer})
    return await db.one_or_none(CLAIM_ONE, PendingSync, {"by_issuer": issuer, "by_id": principal_id})


async def complete(db: Session, sync: PendingSync) -> None:
    """Record that the provider has been told this; a later change stays due."""
    values = {"sent_generation": sync.generation, "sent_disabled": sync.disabled, "lease": sync.lease_expires_at}
    await db.execute(COMPLETE, {"by_id": sync.id, **values})


async def update_last_seen(
    db: Session, ids: Sequence[UUID], times: Sequence[datetime], emails: Sequence[str | None]
) -> None:
    """Write when these principals were last seen, and their address where it has changed."""
    await db.execute(UPDATE_LAST_SEEN, {"ids": ids, "times": times, "emails": emails})
