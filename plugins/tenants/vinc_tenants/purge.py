"""Delete all data of a closing tenant in one transaction; rows of append-only tables stay, and are counted."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from vinc_kernel import App, Session, Tenant, VincError, hooks

from . import owned_rows, repository, service
from .directory import StoredTenants, TenantKeys
from .errors import PurgeFailed, Refused
from .models import CLOSING, PURGED
from .schemas import TenantOut

SECONDS_TO_WAIT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """The result of a purge: how many rows of which table were deleted, and how many of append-only tables stay."""

    slug: str
    rows: Mapping[str, int]
    kept: Mapping[str, int] = field(default_factory=dict)


async def get_closing_tenant(app: App, text: str, *, at_once: bool) -> TenantOut:
    """Return the tenant with this id or slug, if it can be purged; raises Refused."""
    tenant = await service.get_tenant(app, text)
    if tenant.status == PURGED:
        raise Refused(f"{tenant.slug} was purged already")
    if tenant.status != CLOSING:
        raise Refused(f"{tenant.slug} is {tenant.status}: only a tenant that was deleted is purged")
    if not at_once and tenant.purge_after is not None and tenant.purge_after > app.now():
        raise Refused(f"{tenant.slug} can be reactivated until {tenant.purge_after}: wait, or add --now")
    return tenant


async def count_rows(app: App, tenant_id: UUID) -> owned_rows.OwnedRows:
    async with app.platform_session("count what a purge would take", tenant=tenant_id) as db:
        return await owned_rows.count_rows(db, tenant_id)


async def purge(app: App, tenant: TenantKeys, *, at_once: bool = False) -> Purged | None:
    """Purge a closing tenant whose grace period is over, or `at_once`; None where it is not in this state any more.

    Raises PurgeFailed, and then nothing was deleted.
    """
    try:
        async with app.platform_session("purge a tenant", tenant=tenant.id) as db:
            await db.lift_time_limits()  # those of the role are meant for requests
            locked = await repository.lock_for_purge(db, tenant.id, app.now(), at_once=at_once)
            return await delete_all(app, db, locked) if locked else None
    except VincError as error:
        raise PurgeFailed(f"{tenant.slug}: {error}") from error


async def delete_all(app: App, db: Session, tenant: Tenant) -> Purged:
    if not await owned_rows.wait_for_writers(db, SECONDS_TO_WAIT):
        raise PurgeFailed("a long transaction is still writing, perhaps rows of this tenant; run it again later")
    before = await owned_rows.count_rows(db, tenant.id)
    await app.call(hooks.tenant_purge, app.context(db, tenant))
    await owned_rows.delete_rows(db, tenant.id, before.deletable)
    after = await owned_rows.count_rows(db, tenant.id)
    if left := ", ".join(f"{rows} rows of {table}" for table, rows in after.deletable.items() if rows):
        raise PurgeFailed(f"{left} were added meanwhile, or cannot be deleted; run it again")
    await repository.mark_purged(db, tenant.id)
    await repository.add_receipt(db, tenant, before.by_table, after.by_table)
    app.get(StoredTenants).invalidate(db, tenant)
    return Purged(slug=tenant.slug, rows=before.deletable, kept=after.kept)


async def purge_due(app: App) -> AsyncGenerator[Purged | PurgeFailed]:
    """Purge every tenant whose grace period is over; one that fails does not stop the others."""
    async with app.session() as db:
        due = await repository.list_due(db, app.now())
    for tenant in due:
        try:
            purged = await purge(app, tenant)
        except PurgeFailed as error:
            yield error
        else:
            if purged is not None:
                yield purged
