"""Every query of tenants. They are found before any scope is known, so their tables have no row level security."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Text, bindparam, func, insert, literal, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from vinc_kernel import Session, Tenant
from vinc_kernel.rest import IfMatch, Listing, ListQuery, Page, update_one

from .models import ACTIVE, CLOSING, PURGED, SUSPENDED, Receipt
from .models import Tenant as Row
from .schemas import Choices, TenantOut

R = TypeVar("R")

OUT = tuple(getattr(Row, name) for name in TenantOut.model_fields)
KNOWN = (Row.id, Row.slug, Row.name, Row.status, Row.settings, Row.disabled_plugins)
IS_THERE = Row.status != PURGED
THIS_ONE = (Row.id == bindparam("this")) & IS_THERE

BY_ID = select(*KNOWN).where(THIS_ONE)
BY_SLUG = select(*KNOWN).where(Row.slug == bindparam("slug"), IS_THERE)
DUE = select(*KNOWN).where(Row.status == CLOSING, Row.purge_after <= func.now()).order_by(Row.purge_after, Row.id)
ONE = select(*OUT).where(THIS_ONE)
ONE_FOR_UPDATE = ONE.with_for_update()
NAMED = select(*OUT).where((Row.id == bindparam("id")) | (Row.slug == bindparam("slug")))
EVERY = select(*OUT).where(IS_THERE)
LIST = EVERY.order_by(Row.slug)
LIST_PURGED = select(*OUT).where(Row.status == PURGED).order_by(Row.slug)
ADD = upsert(Row).on_conflict_do_nothing(index_elements=[Row.slug]).returning(*OUT)
CHANGE = update(Row).where(THIS_ONE).returning(*OUT)
LOCK_TO_PURGE = (
    select(*KNOWN)
    .where(Row.id == bindparam("this"), Row.status == CLOSING, (Row.purge_after <= func.now()) | bindparam("at_once"))
    .with_for_update()
)
PERSONAL = ("legal_name", "legal_address", "legal_email", "legal_number", "tax_id", "logo_url")
BURY = (
    update(Row)
    .where(Row.id == bindparam("this"))
    .values(
        name=Row.slug,
        status=PURGED,
        purge_after=None,
        settings=text("'{}'::jsonb"),
        disabled_plugins=text("'[]'::jsonb"),
        **dict.fromkeys(PERSONAL),
    )
)
ADD_RECEIPT = insert(Receipt)
CHOICES = select(*(getattr(Row, name) for name in Choices.model_fields)).where(THIS_ONE)
LISTING = Listing(
    Row,
    filters={"status": Row.status, "slug": Row.slug},
    choices={"status": (ACTIVE, SUSPENDED, CLOSING)},
    orders={"slug": Row.slug, "name": Row.name, "created_at": Row.created_at},
    order="slug",
)
is_id = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


def known(*, disabled_plugins: Iterable[str], **more: Any) -> Tenant:
    return Tenant(disabled_plugins=frozenset(disabled_plugins), **more)


def now_and(later: timedelta) -> ColumnElement[Any]:
    """A moment after now, by the database's clock."""
    return func.now() + later


async def find(db: Session, key: UUID | str) -> Tenant | None:
    """What the kernel must know of the tenant with this id or slug."""
    if isinstance(key, UUID):
        return await db.one_or_none(BY_ID, known, {"this": key})
    return await db.one_or_none(BY_SLUG, known, {"slug": key})


async def one(db: Session, tenant_id: UUID) -> TenantOut | None:
    """The whole row of a tenant."""
    return await db.one_or_none(ONE, TenantOut, {"this": tenant_id})


async def lock(db: Session, tenant_id: UUID) -> TenantOut | None:
    """The whole row of a tenant, which nobody else changes until this transaction ends."""
    return await db.one_or_none(ONE_FOR_UPDATE, TenantOut, {"this": tenant_id})


async def named(db: Session, tenant_id: UUID | None, slug: str) -> TenantOut | None:
    """The tenant with this id or slug, also when it was purged."""
    return await db.one_or_none(NAMED, TenantOut, {"id": tenant_id, "slug": slug})


async def every(db: Session, *, purged: bool) -> list[TenantOut]:
    """All tenants, or all that were purged, by slug."""
    return await db.all(LIST_PURGED if purged else LIST, TenantOut)


async def page(db: Session, query: ListQuery, own: Collection[str] | None) -> Page[TenantOut]:
    """A page of the tenants with one of these ids or slugs; of all of them for None."""
    if own is None:
        return await db.page(EVERY, TenantOut, query)
    ids = [UUID(one) for one in own if is_id(one)]
    mine = EVERY.where(Row.id.in_(ids) | Row.slug.in_([one for one in own if not is_id(one)]))
    return await db.page(mine, TenantOut, query)


async def choices(db: Session, tenant_id: UUID) -> Choices | None:
    """What a tenant has chosen for itself."""
    return await db.one_or_none(CHOICES, Choices, {"this": tenant_id})


async def add(db: Session, values: Mapping[str, Any]) -> TenantOut | None:
    """Add a tenant; None when its slug is taken, or once was."""
    return await db.one_or_none(ADD, TenantOut, values)


async def change(db: Session, tenant_id: UUID, values: Mapping[str, Any]) -> TenantOut:
    """Change a tenant that is locked."""
    return await db.one(CHANGE.values(**values), TenantOut, {"this": tenant_id})


async def change_if(
    db: Session, tenant_id: UUID, expected: IfMatch, values: Mapping[str, Any], row: Callable[..., R]
) -> R:
    """Change a tenant that is as the caller has seen it; raises PreconditionFailed."""
    return await update_one(db, Row, tenant_id, expected, values, row)


def settings_with(given: Mapping[str, Any], *, known: Sequence[str]) -> Any:
    """These settings, beside those that are stored for others than the known plugins."""
    return of_others(Row.settings, known).concat(literal(dict(given), JSONB))


def disabled_plugins_with(off: Sequence[str], *, known: Sequence[str]) -> Any:
    """These plugins, beside those that are off and not among the known ones."""
    return of_others(Row.disabled_plugins, known).concat(literal(list(off), JSONB))


def of_others(column: Any, known: Sequence[str]) -> Any:
    """A JSON object without these keys, or a JSON array without these texts."""
    return column.op("-", return_type=JSONB())(literal(list(known), ARRAY(Text)))


async def due(db: Session) -> list[Tenant]:
    """The tenants that are closing and whose grace has ended, the one that waits longest first."""
    return await db.all(DUE, known)


async def lock_to_purge(db: Session, tenant_id: UUID, *, at_once: bool) -> Tenant | None:
    """The tenant, if it is still to be purged; from now on nobody brings it back."""
    return await db.one_or_none(LOCK_TO_PURGE, known, {"this": tenant_id, "at_once": at_once})


async def bury(db: Session, tenant_id: UUID) -> None:
    """Leave nothing of a tenant but its slug, which nobody gets again."""
    await db.execute(BURY, {"this": tenant_id})


async def add_receipt(db: Session, tenant: Tenant, before: Mapping[str, int], after: Mapping[str, int]) -> None:
    """Record how many rows there were by table, and how many there are."""
    values = {"tenant": tenant.id, "slug": tenant.slug, "rows_before": dict(before), "rows_after": dict(after)}
    await db.execute(ADD_RECEIPT, values)
