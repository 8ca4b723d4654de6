"""Find what to migrate, and where."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from vinc_kernel.database.versions import KERNEL, History, history_of, revisions
from vinc_kernel.errors import DatabaseError
from vinc_kernel.plugins.arrange import arrange
from vinc_kernel.settings import DatabaseSettings, KernelSettings

KERNEL_HISTORY = History(KERNEL, Path(__file__).parent / "kernel_tables")


def plugin_histories(settings: KernelSettings) -> list[History]:
    """Return the histories of the enabled plugins that can run: required ones first, what others need before those."""
    plugins = [plugin for plugin in arrange(settings) if plugin.fault is None]
    first: set[str] = set()
    for plugin in reversed(plugins):  # each comes after those that it needs
        if plugin.required or plugin.name in first:
            first |= {plugin.name, *plugin.needs}
    plugins.sort(key=lambda plugin: plugin.name not in first)
    found = [history_of(plugin.name, plugin.package) for plugin in plugins]
    return [history for history in found if history is not None]


def readable(histories: Sequence[History]) -> tuple[list[History], list[str]]:
    """Return the histories that can be read, and a line for each other one."""
    found, lines = [], []
    for history in histories:
        try:
            revisions(history)
        except DatabaseError as error:
            lines.append(str(error))
        else:
            found.append(history)
    return found, lines


def plugin_needs(settings: KernelSettings) -> dict[str, tuple[str, ...]]:
    """Return the plugins that each one needs."""
    return {plugin.name: plugin.needs for plugin in arrange(settings)}


def history_named(settings: KernelSettings, name: str) -> History:
    """Return the history of one enabled plugin, which may not have begun yet, or the kernel's; raises DatabaseError."""
    if name == KERNEL:
        return KERNEL_HISTORY
    plugins = {plugin.name: plugin for plugin in arrange(settings) if plugin.fault is None}
    if name not in plugins:
        raise DatabaseError(
            f"{name}: there is no enabled plugin of that name; there are: {', '.join(plugins) or 'none'}"
        )
    package = plugins[name].package
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseError(f"{name}: {package} is no package, so it cannot have a folder of migrations; make it one")
    return history_of(name, package) or History(name, Path(spec.submodule_search_locations[0]) / "migrations")


def address(settings: DatabaseSettings) -> str:
    """Return VINC_DATABASE_MIGRATION_URL, else VINC_DATABASE_URL; raises DatabaseError without either."""
    url = settings.migration_url or settings.url
    if url is None:
        raise DatabaseError("there is no database: set VINC_DATABASE_MIGRATION_URL to the migrator's address")
    return url.get_secret_value()
