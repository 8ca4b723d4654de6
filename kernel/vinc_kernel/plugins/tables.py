"""Whether a plugin's tables are as new as its code: production refuses older ones, elsewhere they are told of."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ..database.versions import Place, behind, history_of
from ..errors import StartError
from ..runtime import Runtime
from .arrange import Plugin

logger = logging.getLogger("vinc.database")
CURE = "run: vinc db upgrade"


async def plugins_behind(runtime: Runtime, plugins: Iterable[Plugin]) -> dict[str, Place]:
    """By name, the plugins whose tables are older than their code."""
    histories = [found for one in plugins if (found := history_of(one.name, one.package))]
    if runtime.postgres is None or not histories:
        return {}
    connection = await runtime.postgres.acquire()
    try:
        return {place.plugin: place for place in await behind(connection, histories)}
    finally:
        runtime.postgres.release(connection)


def refuse_old_tables(plugin: Plugin, place: Place | None, *, production: bool) -> None:
    """Raise StartError in production when the plugin's tables are behind; elsewhere warn."""
    if place is None:
        return
    what = f"the database is at {place.at or 'nothing'} and the plugin needs {place.head}"
    error = StartError(what, plugin=plugin.name, phase="database", where=plugin.where, cure=CURE)
    if production:
        raise error
    logger.warning("%s", error)
