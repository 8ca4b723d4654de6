"""Delete all that a closing tenant has, in one transaction; what stands in append-only tables stays, and is counted."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from vinc_kernel import App, Session, Tenant, VincError, hooks

from . import owned_rows, repository, service
from .directory import Named, StoredTenants
from .errors import PurgeFailed, Refused
from .models import CLOSING, PURGED
from .schemas import TenantOut

SECONDS_TO_WAIT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What a purge did: how many rows of which table are gone, and how many of append-only tables stay."""

    slug: str
    rows: Mapping[str, int]
    kept: Mapping[str, int] = field(default_factory=dict)


async def closing(app: App, text: str, *, at_once: bool) -> TenantOut:
    """The tenant with this id or slug, if it can be purged; raises Refused."""
    found = await service.named(app, text)
    if found.status == PURGED:
        raise Refused(f"{found.slug} was purged already")
    if found.status != CLOSING:
        raise Refused(f"{found.slug} is {found.status}: only a tenant that was deleted is purged")
    if not at_once and found.purge_after is not None and found.purge_after > datetime.now(UTC):
        raise Refused(f"{found.slug} can be brought back until {found.purge_after}: wait, or add --now")
    return found


async def rows_of(app: App, tenant_id: UUID) -> owned_rows.OwnedRows:
    """Count the rows that the tenant has in each table, those of disabled plugins too."""
    async with app.platform_session("count what a purge would take", tenant=tenant_id) as db:
        return await owned_rows.count_rows(db, tenant_id)


async def purge(app: App, tenant: Named, *, at_once: bool = False) -> Purged | None:
    """Purge a tenant that is closing and whose grace has ended, or `at_once`; None when it is not so any more.

    Raises PurgeFailed, and then nothing is gone.
    """
    try:
        async with app.platform_session("purge a tenant", tenant=tenant.id) as db:
            await db.lift_time_limits()  # those of a role are made for requests
            found = await repository.lock_to_purge(db, tenant.id, at_once=at_once)
            return await take_away(app, db, found) if found else None
    except VincError as error:
        raise PurgeFailed(f"{tenant.slug}: {error}") from error


async def take_away(app: App, db: Session, tenant: Tenant) -> Purged:
    if not await owned_rows.others_are_done(db, SECONDS_TO_WAIT):
        raise PurgeFailed("somebody has been writing for a while, perhaps rows of this tenant; run it again later")
    before = await owned_rows.count_rows(db, tenant.id)
    await app.call(hooks.tenant_purge, app.context(db, tenant))
    await owned_rows.delete_rows(db, tenant.id, before.deletable)
    after = await owned_rows.count_rows(db, tenant.id)
    if left := ", ".join(f"{rows} rows of {table}" for table, rows in after.deletable.items() if rows):
        raise PurgeFailed(f"{left} came meanwhile, or cannot be deleted; run it again")
    await repository.bury(db, tenant.id)
    await repository.add_receipt(db, tenant, before.by_table, after.by_table)
    app.get(StoredTenants).invalidate(db, tenant)
    return Purged(slug=tenant.slug, rows=before.deletable, kept=after.kept)


async def purge_due(app: App) -> AsyncGenerator[Purged | PurgeFailed]:
    """Purge every tenant whose grace has ended; one that fails is told, and does not hold up the others."""
    async with app.session() as db:
        due = await repository.due(db)
    for tenant in due:
        try:
            done = await purge(app, tenant)
        except PurgeFailed as error:
            yield error
        else:
            if done is not None:
                yield done
