"""Every query of tenants. They are found before any scope is known, so their table has no row level security."""

from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert

from vinc_kernel import Session, Tenant

from . import models
from .schemas import TenantOut

STORED = select(models.Tenant).where(models.Tenant.id == bindparam("id"))
BY_ID = select(models.Tenant.id, models.Tenant.slug, models.Tenant.name).where(models.Tenant.id == bindparam("id"))
BY_SLUG = select(models.Tenant.id, models.Tenant.slug, models.Tenant.name).where(
    models.Tenant.slug == bindparam("slug")
)
ADD = (
    insert(models.Tenant)
    .values(slug=bindparam("slug"), name=bindparam("name"))
    .on_conflict_do_nothing(index_elements=[models.Tenant.slug])
)


async def stored(db: Session, id: UUID) -> TenantOut:  # noqa: A002  what everybody calls it
    """The whole row of a tenant that is known to exist."""
    return await db.one(STORED, TenantOut, {"id": id})


async def find(db: Session, key: UUID | str) -> Tenant | None:
    """What the kernel must know of the tenant with this id or slug."""
    if isinstance(key, UUID):
        return await db.one_or_none(BY_ID, Tenant, {"id": key})
    return await db.one_or_none(BY_SLUG, Tenant, {"slug": key})


async def add(db: Session, slug: str, name: str) -> bool:
    """Add a tenant; False when its slug is taken."""
    return await db.execute(ADD, {"slug": slug, "name": name}) == 1
