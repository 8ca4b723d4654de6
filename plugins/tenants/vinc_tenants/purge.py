"""Delete all data of a closing tenant; rows of append-only tables stay, and are counted.

The steps of a purge, each of which can be the last one before the process is killed; running it again goes on:

1. The status `purging` is committed. From here on nobody finds the tenant: no request selects it, and
   `app.session(tenant)` refuses it.
2. Other workers may know an old answer for one second, where Redis tells them nothing. Wait until none does.
3. Wait until every transaction of the application that began before has ended: it may be about to write into the
   tenant, whether it has written yet or not. None that begins later can.
4. Hooks, deletion, receipt and the status `purged` are one transaction.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from vinc_kernel import App, Session, Tenant, VincError, hooks

from . import owned_rows, repository, service
from .directory import StoredTenants, TenantKeys
from .errors import PurgeFailed, Refused
from .models import CLOSING, PURGED, PURGING
from .schemas import TenantOut

SECONDS_UNTIL_REFUSED = 2.0  # the one second, and another one between a look-up and the transaction that follows
SECONDS_TO_WAIT = 70.0  # for transactions to end; those of requests do after 60, the role's transaction_timeout


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """The result of a purge: how many rows of which table were deleted, and how many of append-only tables stay.

    `skipped` are the plugins that are not enabled, whose hooks could not run.
    """

    slug: str
    rows: Mapping[str, int]
    kept: Mapping[str, int] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()


async def get_closing_tenant(app: App, text: str, *, at_once: bool) -> TenantOut:
    """Return the tenant with this id or slug, if it can be purged; raises Refused."""
    tenant = await service.get_tenant(app, text)
    if tenant.status == PURGED:
        if not any((await count_rows(app, tenant.id)).deletable.values()):
            raise Refused(f"{tenant.slug} was purged already")
        return tenant
    if tenant.status not in (CLOSING, PURGING):
        raise Refused(f"{tenant.slug} is {tenant.status}: only a tenant that was deleted is purged")
    if not at_once and tenant.purge_after is not None and tenant.purge_after > app.now():
        raise Refused(f"{tenant.slug} can be reactivated until {tenant.purge_after}: wait, or add --now")
    return tenant


async def count_rows(app: App, tenant_id: UUID) -> owned_rows.OwnedRows:
    async with app.platform_session("count what a purge would take", tenant=tenant_id) as db:
        return await owned_rows.count_rows(db, tenant_id)


async def require_all_plugins(app: App, without: Collection[str]) -> tuple[str, ...]:
    """Return the plugins that have tables here and are not enabled; raises PurgeFailed unless all are in `without`.

    Also raises PurgeFailed while an enabled plugin is quarantined, and for an enabled one in `without`.
    """
    enabled = {one.name: one for one in app.plugins}
    if quarantined := [one for one in enabled.values() if not one.is_ready]:
        raise PurgeFailed(
            "\n".join(f"{one.name} is quarantined and cannot delete what it keeps: {one.why}" for one in quarantined)
        )
    if named := sorted(enabled.keys() & set(without)):
        raise PurgeFailed(f"{', '.join(named)}: --without is for plugins that are not enabled")
    async with app.session() as db:
        skipped = tuple(one for one in await repository.list_plugins_with_tables(db) if one not in enabled)
    if missing := [one for one in skipped if one not in without]:
        what = f"{', '.join(missing)}: not enabled, so that it cannot delete what it keeps outside of its tables here"
        raise PurgeFailed(f"{what}; enable it, or leave it there: --without {','.join(skipped)}")
    return skipped


async def purge(
    app: App, tenant: TenantKeys, *, at_once: bool = False, again: bool = False, without: Collection[str] = ()
) -> Purged | None:
    """Purge a closing tenant whose grace period is over, or `at_once`; None where it is not in this state any more.

    Goes on with one that is `purging`; `again`: also takes one that was purged, and has got rows since. `without`:
    plugins that are not enabled, and are left out. Raises PurgeFailed, and then nothing was deleted; run it again.
    """
    try:
        skipped = await require_all_plugins(app, without)
        if not await begin(app, tenant.id, at_once=at_once, again=again):
            return None
        await wait_until_refused()
        await wait_for_old_transactions(app)
        async with app.platform_session("purge a tenant", tenant=tenant.id) as db:
            await db.lift_time_limits()  # those of the role are meant for requests
            locked = await repository.lock_purging(db, tenant.id)
            return await delete_all(app, db, locked, skipped) if locked else None
    except VincError as error:
        raise PurgeFailed(f"{tenant.slug}: {error}") from error


async def begin(app: App, tenant_id: UUID, *, at_once: bool, again: bool) -> bool:
    """Commit the status `purging`; returns False where the tenant is not to be purged."""
    async with app.platform_session("begin to purge a tenant") as db:
        tenant = await repository.begin_purge(db, tenant_id, app.now(), at_once=at_once, again=again)
        if tenant is not None:
            app.get(StoredTenants).invalidate(db, tenant)
    return tenant is not None


async def wait_until_refused() -> None:
    """Wait until every worker refuses the tenant, also one that Redis has told nothing."""
    await asyncio.sleep(SECONDS_UNTIL_REFUSED)


async def wait_for_old_transactions(app: App) -> None:
    """Wait until all transactions of the application that are running now have ended; raises PurgeFailed."""
    async with app.session() as db:
        since = await owned_rows.get_time(db)
    for _ in range(round(SECONDS_TO_WAIT / owned_rows.POLL_SECONDS)):
        async with app.session() as db:
            if not await owned_rows.has_older_transactions(db, since):
                return
        await asyncio.sleep(owned_rows.POLL_SECONDS)
    raise PurgeFailed("a long transaction is still running, and may write rows of this tenant; run it again later")


async def delete_all(app: App, db: Session, tenant: Tenant, skipped: tuple[str, ...]) -> Purged:
    before = await owned_rows.count_rows(db, tenant.id)
    await app.call(hooks.tenant_purge, app.context(db, tenant))
    await owned_rows.delete_rows(db, tenant.id, before.deletable)
    after = await owned_rows.count_rows(db, tenant.id)
    if left := ", ".join(f"{rows} rows of {table}" for table, rows in after.deletable.items() if rows):
        raise PurgeFailed(f"{left} were added meanwhile, or cannot be deleted; run it again")
    await repository.mark_purged(db, tenant.id)
    await repository.add_receipt(db, tenant, before.by_table, after.by_table, skipped)
    app.get(StoredTenants).invalidate(db, tenant)
    return Purged(slug=tenant.slug, rows=before.deletable, kept=after.kept, skipped=skipped)


async def purge_due(app: App, *, without: Collection[str] = ()) -> AsyncGenerator[Purged | PurgeFailed]:
    """Purge every tenant whose grace period is over; one that fails does not stop the others."""
    async with app.session() as db:
        due = await repository.list_due(db, app.now())
    for tenant in due:
        try:
            purged = await purge(app, tenant, without=without)
        except PurgeFailed as error:
            yield error
        else:
            if purged is not None:
                yield purged
