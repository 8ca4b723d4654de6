"""The queries of tenants. A tenant is found before any scope is known: its table has no row level security."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Text, bindparam, insert, literal, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from vinc_kernel import Session, Tenant
from vinc_kernel.rest import IfMatch, Listing, ListQuery, Page, update_one

from .models import ACTIVE, CLOSING, PURGED, PURGING, SUSPENDED, Receipt
from .models import Tenant as Row
from .schemas import Choices, TenantOut

R = TypeVar("R")

COLUMNS = tuple(getattr(Row, name) for name in TenantOut.model_fields)
DIRECTORY_COLUMNS = (Row.id, Row.slug, Row.name, Row.status, Row.settings, Row.disabled_plugins)
NOT_PURGED = Row.status != PURGED
HAS_ID = (Row.id == bindparam("by_id")) & NOT_PURGED

# To the kernel, and so to everybody who works in it, a tenant is gone as soon as its purge has begun.
IS_FOUND = Row.status.not_in((PURGING, PURGED))

BY_ID = select(*DIRECTORY_COLUMNS).where(Row.id == bindparam("by_id"), IS_FOUND)
BY_SLUG = select(*DIRECTORY_COLUMNS).where(Row.slug == bindparam("by_slug"), IS_FOUND)
IS_PURGING = Row.status == PURGING
IS_DUE = (Row.status == CLOSING) & (Row.purge_after <= bindparam("now"))
DUE = select(*DIRECTORY_COLUMNS).where(IS_PURGING | IS_DUE).order_by(Row.purge_after, Row.id)
ONE = select(*COLUMNS).where(HAS_ID)
LOCK = ONE.with_for_update()
BY_ID_OR_SLUG = select(*COLUMNS).where((Row.id == bindparam("by_id")) | (Row.slug == bindparam("by_slug")))
ALL = select(*COLUMNS).where(NOT_PURGED)
LIST_ALL = ALL.order_by(Row.slug)
LIST_PURGED = select(*COLUMNS).where(Row.status == PURGED).order_by(Row.slug)
ADD = upsert(Row).on_conflict_do_nothing(index_elements=[Row.slug]).returning(*COLUMNS)
UPDATE = update(Row).where(HAS_ID).returning(*COLUMNS)
BEGIN_PURGE = (
    update(Row)
    .where(
        Row.id == bindparam("by_id"),
        IS_PURGING
        | IS_DUE
        | ((Row.status == CLOSING) & bindparam("at_once"))
        | ((Row.status == PURGED) & bindparam("again")),
    )
    .values(status=PURGING, purge_after=None)
    .returning(*DIRECTORY_COLUMNS)
)
LOCK_PURGING = select(*DIRECTORY_COLUMNS).where(Row.id == bindparam("by_id"), IS_PURGING).with_for_update()
PLUGINS_WITH_TABLES = text("select distinct plugin as name from public.vinc_table order by plugin")
PERSONAL_DATA = ("legal_name", "legal_address", "legal_email", "legal_number", "tax_id", "logo_url")
MARK_PURGED = (
    update(Row)
    .where(Row.id == bindparam("by_id"))
    .values(
        name=Row.slug,
        status=PURGED,
        purge_after=None,
        settings=text("'{}'::jsonb"),
        disabled_plugins=text("'[]'::jsonb"),
        **dict.fromkeys(PERSONAL_DATA),
    )
)
ADD_RECEIPT = insert(Receipt)
CHOICES = select(*(getattr(Row, name) for name in Choices.model_fields)).where(HAS_ID)
LISTING = Listing(
    Row,
    filters={"status": Row.status, "slug": Row.slug},
    choices={"status": (ACTIVE, SUSPENDED, CLOSING, PURGING)},
    orders={"slug": Row.slug, "name": Row.name, "created_at": Row.created_at},
    order="slug",
)
is_id = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


def to_tenant(*, disabled_plugins: Iterable[str], **columns: Any) -> Tenant:
    return Tenant(disabled_plugins=frozenset(disabled_plugins), **columns)


async def find(db: Session, key: UUID | str) -> Tenant | None:
    """Return the tenant with this id or slug, as the kernel needs it."""
    if isinstance(key, UUID):
        return await db.one_or_none(BY_ID, to_tenant, {"by_id": key})
    return await db.one_or_none(BY_SLUG, to_tenant, {"by_slug": key})


async def get(db: Session, tenant_id: UUID) -> TenantOut | None:
    return await db.one_or_none(ONE, TenantOut, {"by_id": tenant_id})


async def lock(db: Session, tenant_id: UUID) -> TenantOut | None:
    return await db.one_or_none(LOCK, TenantOut, {"by_id": tenant_id})


async def get_by_id_or_slug(db: Session, tenant_id: UUID | None, slug: str) -> TenantOut | None:
    return await db.one_or_none(BY_ID_OR_SLUG, TenantOut, {"by_id": tenant_id, "by_slug": slug})


async def list_all(db: Session, *, purged: bool) -> list[TenantOut]:
    return await db.all(LIST_PURGED if purged else LIST_ALL, TenantOut)


async def page(db: Session, query: ListQuery, own: Collection[str] | None) -> Page[TenantOut]:
    """Return a page of the tenants with one of these ids or slugs; of all tenants for None."""
    if own is None:
        return await db.page(ALL, TenantOut, query)
    ids = [UUID(one) for one in own if is_id(one)]
    is_own = Row.id.in_(ids) | Row.slug.in_([one for one in own if not is_id(one)])
    return await db.page(ALL.where(is_own), TenantOut, query)


async def get_choices(db: Session, tenant_id: UUID) -> Choices | None:
    return await db.one_or_none(CHOICES, Choices, {"by_id": tenant_id})


async def add(db: Session, values: Mapping[str, Any]) -> TenantOut | None:
    """Add a tenant; None when its slug is taken, or once was."""
    return await db.one_or_none(ADD, TenantOut, values)


async def change(db: Session, tenant_id: UUID, values: Mapping[str, Any]) -> TenantOut:
    """Change a locked tenant."""
    return await db.one(UPDATE.values(**values), TenantOut, {"by_id": tenant_id})


async def update_if_match(
    db: Session, tenant_id: UUID, expected: IfMatch, values: Mapping[str, Any], row: Callable[..., R]
) -> R:
    """Change a tenant that the caller has seen in its present version; raises PreconditionFailed."""
    return await update_one(db, Row, tenant_id, expected, values, row)


def merge_settings(settings: Mapping[str, Any], *, plugins: Sequence[str]) -> Any:
    """Return an expression: these settings, and the stored ones of all but these plugins."""
    return without_keys(Row.settings, plugins).concat(literal(dict(settings), JSONB))


def merge_disabled_plugins(off: Sequence[str], *, plugins: Sequence[str]) -> Any:
    """Return an expression: these plugins, and the stored ones of all but these plugins."""
    return without_keys(Row.disabled_plugins, plugins).concat(literal(list(off), JSONB))


def without_keys(column: Any, keys: Sequence[str]) -> Any:
    """Return an expression: a JSON object without these keys, or a JSON array without these strings."""
    return column.op("-", return_type=JSONB())(literal(list(keys), ARRAY(Text)))


async def list_due(db: Session, now: datetime) -> list[Tenant]:
    """Return the closing tenants whose grace period is over, the earliest first, and then those being purged."""
    return await db.all(DUE, to_tenant, {"now": now})


async def begin_purge(db: Session, tenant_id: UUID, now: datetime, *, at_once: bool, again: bool) -> Tenant | None:
    """Set the status `purging` and return the tenant, if it is to be purged or is being purged."""
    values = {"by_id": tenant_id, "now": now, "at_once": at_once, "again": again}
    return await db.one_or_none(BEGIN_PURGE, to_tenant, values)


async def lock_purging(db: Session, tenant_id: UUID) -> Tenant | None:
    """Return the tenant, locked, if it is still being purged."""
    return await db.one_or_none(LOCK_PURGING, to_tenant, {"by_id": tenant_id})


async def list_plugins_with_tables(db: Session) -> list[str]:
    """Return the plugins with tables in this database, whether they are enabled and installed or not."""
    return [one["name"] for one in await db.all(PLUGINS_WITH_TABLES, dict[str, Any])]


async def mark_purged(db: Session, tenant_id: UUID) -> None:
    """Clear everything of a tenant but its id and slug."""
    await db.execute(MARK_PURGED, {"by_id": tenant_id})


async def add_receipt(
    db: Session, tenant: Tenant, before: Mapping[str, int], after: Mapping[str, int], skipped: Sequence[str]
) -> None:
    """Store how many rows there were by table, how many there are, and the plugins whose hooks did not run."""
    values = {"tenant": tenant.id, "slug": tenant.slug, "rows_before": dict(before), "rows_after": dict(after)}
    await db.execute(ADD_RECEIPT, {**values, "skipped_plugins": [*skipped]})
