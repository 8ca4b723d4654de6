"""Write when principals were last seen: all of one worker in one statement."""

from __future__ import annotations

from vinc_kernel import App, logger

from .. import repository
from ..directory import StoredPrincipals


async def write(app: App) -> None:
    """Write what was collected since the last time; keeps it for the next time when the write fails."""
    principals = app.get(StoredPrincipals)
    times, emails = dict(principals.last_seen), dict(principals.emails)
    principals.last_seen.clear()
    principals.emails.clear()
    if not times:
        return
    try:
        async with app.session() as db:
            await repository.update_last_seen(db, list(times), list(times.values()), [emails.get(one) for one in times])
    except BaseException:  # also when it is cancelled
        principals.last_seen.update(times | principals.last_seen)
        principals.emails.update(emails | principals.emails)
        raise


async def write_on_shutdown(app: App) -> None:
    """Write it once more; an error is logged, and the data lost."""
    try:
        await write(app)
    except Exception:  # noqa: BLE001  no error may stop the shutdown
        logger.exception("could not write when principals were last seen")
