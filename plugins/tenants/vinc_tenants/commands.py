"""`vinc tenants ...`: commands for operators, who also create the first tenant of an installation."""

import json as encoder
import sys
from collections.abc import Collection
from typing import Annotated

from annotated_doc import Doc

from vinc_kernel import App, print_table

from . import purge as purging
from . import repository, service
from .errors import Refused
from .models import PURGED

USAGE = 2  # the exit code of a command with wrong arguments


async def list(app: App, *, json: bool = False, purged: bool = False) -> None:  # noqa: A001  `vinc tenants list`
    """List the tenants; with --purged those that were purged."""
    async with app.session() as db:
        tenants = await repository.list_all(db, purged=purged)
    if json:
        print(encoder.dumps([one.model_dump(mode="json") for one in tenants], indent=2))
    else:
        print_table(
            [("slug", "id", "status", "name"), *((one.slug, str(one.id), one.status, one.name) for one in tenants)]
        )


async def show(app: App, tenant: str) -> None:
    """Show one tenant, by its id or slug."""
    values = (await service.get_tenant(app, tenant)).model_dump(mode="json")
    print_table([(name, "" if value is None else str(value)) for name, value in values.items()])


async def create(app: App, slug: str, name: str = "") -> None:
    """Create a tenant, with what every plugin sets up for it: `vinc tenants create acme --name "Acme Ltd"`."""
    tenant = await service.create(app, service.parse_new_tenant(slug, name))
    print(f"created the tenant {tenant.slug} {tenant.id}")


async def suspend(app: App, tenant: str) -> None:
    """Suspend a tenant: its members are refused."""
    one = await service.get_tenant(app, tenant)
    async with app.platform_session("an operator suspends a tenant") as db:
        await service.suspend(app, db, one.id)
    print(f"{one.slug} is suspended")


async def reactivate(app: App, tenant: str) -> None:
    """Reactivate a suspended or closing tenant."""
    one = await service.get_tenant(app, tenant)
    async with app.platform_session("an operator reactivates a tenant") as db:
        await service.reactivate(app, db, one.id)
    print(f"{one.slug} is active")


async def close(app: App, tenant: str) -> None:
    """Close a tenant: its members are refused, and it is purged after the grace period."""
    one = await service.get_tenant(app, tenant)
    async with app.platform_session("an operator closes a tenant") as db:
        closed = await service.close_any_version(app, db, one.id)
    print(f"{closed.slug} is closing; it can be purged after {closed.purge_after}")


async def purge(  # noqa: PLR0913  a parameter for each option
    app: App,
    tenant: str = "",
    /,
    *,
    due: bool = False,
    yes: bool = False,
    now: bool = False,
    without: Annotated[str | None, Doc("plugins that are not enabled, separated by commas; leave them out")] = None,
) -> int:
    """Delete all data of a closing tenant whose grace period is over; with --due of all such tenants, from a timer.

    With --now the grace period does not count. It can be run again whenever it has failed or was killed.
    """
    if due == bool(tenant) or (due and now):
        print("vinc tenants purge: name one tenant, or write --due", file=sys.stderr)
        return USAGE
    names = [name.strip() for name in (without or "").split(",") if name.strip()]
    return await purge_due(app, names) if due else await purge_one(app, tenant, yes=yes, now=now, without=names)


async def purge_due(app: App, without: Collection[str]) -> int:
    exit_code = 0
    async for result in purging.purge_due(app, without=without):
        if isinstance(result, purging.Purged):
            print_purged(result)
        else:
            exit_code = 1
            print(f"vinc: {result}", file=sys.stderr)
    return exit_code


async def purge_one(app: App, tenant: str, *, yes: bool, now: bool, without: Collection[str]) -> int:
    closing = await purging.get_closing_tenant(app, tenant, at_once=now)
    if not yes:
        await purging.require_all_plugins(app, without)
        rows = await purging.count_rows(app, closing.id)
        print_table([(table, str(number)) for table, number in rows.deletable.items()])
        for table, number in rows.kept.items():
            print(f"{number} rows of {table} would stay: it is append-only")
        raise Refused(f"{closing.slug}: all these rows would be deleted for good: add --yes")
    purged = await purging.purge(app, closing, at_once=now, again=closing.status == PURGED, without=without)
    if purged is None:
        raise Refused(f"{closing.slug} was reactivated or purged meanwhile")
    print_purged(purged)
    return 0


def print_purged(purged: purging.Purged) -> None:
    kept = "".join(f"; {rows} rows of {table} stay" for table, rows in purged.kept.items() if rows)
    skipped = f"; without {', '.join(purged.skipped)}" if purged.skipped else ""
    print(f"purged {purged.slug}: {sum(purged.rows.values())} rows of {len(purged.rows)} tables{kept}{skipped}")


async def demo(app: App) -> None:
    """Add the two demo tenants, acme and globex, unless they exist."""
    for slug in await service.add_demo(app):
        print(f"added the tenant {slug}")


COMMANDS = (list, show, create, suspend, reactivate, close, purge, demo)
