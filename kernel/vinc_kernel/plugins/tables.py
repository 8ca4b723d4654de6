"""Whether a plugin's tables are as new as its code: production refuses older ones, elsewhere it is a warning."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ..database.versions import RevisionState, history_of, read_states, revisions
from ..errors import StartError
from ..runtime import Runtime
from .arrange import Plugin

logger = logging.getLogger("vinc.database")
CURE = "run: vinc db upgrade"


async def plugins_behind(runtime: Runtime, plugins: Iterable[Plugin]) -> dict[str, RevisionState]:
    """Return, by name, the plugins whose tables are older than their code."""
    histories = {one.name: revisions(found) for one in plugins if (found := history_of(one.name, one.package))}
    if runtime.postgres is None or not histories:
        return {}
    connection = await runtime.postgres.connections.acquire()
    try:
        return {state.plugin: state for state in await read_states(connection, histories) if state.is_behind}
    finally:
        runtime.postgres.connections.release(connection)


def refuse_old_tables(plugin: Plugin, state: RevisionState | None, *, production: bool) -> None:
    """Raise StartError in production when the plugin's tables are behind; elsewhere warn."""
    if state is None:
        return
    error = StartError(str(state), plugin=plugin.name, phase="database", where=plugin.where, cure=CURE)
    if production:
        raise error
    logger.warning("%s", error)
