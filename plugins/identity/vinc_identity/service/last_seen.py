"""Write down when principals were seen: all that one worker has noted, in one statement."""

from __future__ import annotations

from datetime import UTC, datetime

from vinc_kernel import App, logger

from .. import repository
from ..directory import StoredPrincipals


async def write(app: App) -> None:
    """Write what was noted since the last time; what cannot be written is noted again, and the error raised."""
    stored = app.get(StoredPrincipals)
    seen, emails = dict(stored.seen), dict(stored.emails)
    stored.seen.clear()
    stored.emails.clear()
    if not seen:
        return
    moments = [datetime.fromtimestamp(one, UTC) for one in seen.values()]
    try:
        async with app.session() as db:
            await repository.note_seen(db, list(seen), moments, [emails.get(one) for one in seen])
    except BaseException:  # also where it is cancelled
        stored.seen.update(seen | stored.seen)
        stored.emails.update(emails | stored.emails)
        raise


async def write_at_the_end(app: App) -> None:
    """Write it once more; where that fails it is lost, and logged."""
    try:
        await write(app)
    except Exception:  # noqa: BLE001  whatever it is, it must not hold up the stop
        logger.exception("when principals were seen last could not be written")
