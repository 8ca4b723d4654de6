"""`vinc tenants ...`: what operators do with tenants, the first one of an installation included."""

import json as encoder
import sys

from vinc_kernel import App, print_table

from . import purge as purging
from . import repository, service
from .errors import Refused

USAGE = 2  # the exit code of every command that was called wrongly


async def list(app: App, *, json: bool = False, purged: bool = False) -> None:  # noqa: A001  `vinc tenants list`
    """List the tenants; with --purged those of which only the slug is left."""
    async with app.session() as db:
        found = await repository.every(db, purged=purged)
    if json:
        print(encoder.dumps([one.model_dump(mode="json") for one in found], indent=2))
    else:
        print_table(
            [("slug", "id", "status", "name"), *((one.slug, str(one.id), one.status, one.name) for one in found)]
        )


async def show(app: App, tenant: str) -> None:
    """Show one tenant, by its id or slug."""
    found = await service.named(app, tenant)
    print_table([(name, "" if value is None else str(value)) for name, value in found.model_dump(mode="json").items()])


async def create(app: App, slug: str, name: str = "") -> None:
    """Make a tenant, and what every plugin sets up for it: `vinc tenants create acme --name "Acme Ltd"`."""
    made = await service.create(app, service.checked(slug, name))
    print(f"made the tenant {made.slug} {made.id}")


async def suspend(app: App, tenant: str) -> None:
    """Refuse a tenant's members from now on."""
    found = await service.named(app, tenant)
    async with app.platform_session("an operator suspends a tenant") as db:
        await service.suspend(app, db, found.id)
    print(f"{found.slug} is suspended")


async def reactivate(app: App, tenant: str) -> None:
    """Let the members of a suspended or closing tenant in again."""
    found = await service.named(app, tenant)
    async with app.platform_session("an operator reactivates a tenant") as db:
        await service.reactivate(app, db, found.id)
    print(f"{found.slug} is active")


async def close(app: App, tenant: str) -> None:
    """Refuse a tenant's members, and have all that it has purged when its grace is over."""
    found = await service.named(app, tenant)
    async with app.platform_session("an operator closes a tenant") as db:
        closed = await service.close_any(app, db, found.id)
    print(f"{closed.slug} is closing; it can be purged after {closed.purge_after}")


async def purge(app: App, tenant: str = "", /, *, due: bool = False, yes: bool = False, now: bool = False) -> int:
    """Take away all that a closing tenant has, once its grace has ended; with --due all such, from a timer.

    With --now the grace does not count.
    """
    if due == bool(tenant) or (due and now):
        print("vinc tenants purge: name one tenant, or write --due", file=sys.stderr)
        return USAGE
    return await purge_due(app) if due else await purge_one(app, tenant, yes=yes, now=now)


async def purge_due(app: App) -> int:
    failed = 0
    async for done in purging.purge_due(app):
        if isinstance(done, purging.Purged):
            print_purged(done)
        else:
            failed = 1
            print(f"vinc: {done}", file=sys.stderr)
    return failed


async def purge_one(app: App, tenant: str, *, yes: bool, now: bool) -> int:
    found = await purging.closing(app, tenant, at_once=now)
    if not yes:
        rows = await purging.rows_of(app, found.id)
        print_table([(table, str(number)) for table, number in rows.deletable.items()])
        for table, number in rows.kept.items():
            print(f"{number} rows of {table} would stay: it is append-only")
        raise Refused(f"{found.slug}: all these rows would go, and never come back: add --yes")
    done = await purging.purge(app, found, at_once=now)
    if done is None:
        raise Refused(f"{found.slug} was brought back, or purged, meanwhile")
    print_purged(done)
    return 0


def print_purged(done: purging.Purged) -> None:
    kept = "".join(f"; {rows} rows of {table} stay" for table, rows in done.kept.items() if rows)
    print(f"purged {done.slug}: {sum(done.rows.values())} rows of {len(done.rows)} tables{kept}")


async def demo(app: App) -> None:
    """Add the two demo tenants, acme and globex, unless they are there."""
    for slug in await service.add_demo(app):
        print(f"added the tenant {slug}")


COMMANDS = (list, show, create, suspend, reactivate, close, purge, demo)
