"""Find what to migrate, and where."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from vinc_kernel.database.versions import KERNEL, History, history_of
from vinc_kernel.errors import DatabaseError
from vinc_kernel.plugins.arrange import arrange
from vinc_kernel.settings import DatabaseSettings, KernelSettings

KERNEL_HISTORY = History(KERNEL, Path(__file__).parent / "kernel_tables")


def plugin_histories(settings: KernelSettings) -> list[History]:
    """Return the histories of the enabled plugins that can run, those that others need first."""
    found = [history_of(plugin.name, plugin.package) for plugin in arrange(settings) if plugin.fault is None]
    return [history for history in found if history is not None]


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
