"""`vinc plugins purge`: take the tables of a plugin away that does not run any more."""

from __future__ import annotations

from argparse import Namespace

from ..errors import VincError
from ..manifest import read_manifest
from ..plugins.arrange import survey
from ..plugins.find import find, well_formed
from ..settings import KernelSettings, Sources
from .command import REFUSED, print_table, say


class PurgeRefused(VincError):
    """The plugin may still be in use."""


def purge(args: Namespace, settings: KernelSettings, _: Sources) -> int:
    """Show what goes and, when told so, take it away."""
    from ..database.roles import Roles  # what takes most of a second to import, beside commands that need nothing of it
    from ..migrations import find as migrating
    from ..migrations.purge import purge as purge_tables
    from ..migrations.unit import How

    name: str = args.name
    needed_by = refuse_in_use(name, settings)
    how = How(roles=Roles(settings.database.role_prefix))
    counted = purge_tables(migrating.address(settings.database), name, how, needed_by=needed_by, sure=args.yes)
    if counted:
        print_table([("table", "rows"), *((table, str(rows)) for table, rows in counted.items())])
    if args.yes:
        say(f"{name}: {len(counted)} tables are gone")
        return 0
    say(f"{name}: {len(counted)} tables would go, and nothing brings them back; to do it, add --yes")
    return REFUSED


def refuse_in_use(name: str, settings: KernelSettings) -> list[str]:
    """Raise while the plugin, or one that needs it, runs; return the other ones that need it."""
    if not well_formed(name):
        raise PurgeRefused(f"{name!r} is no plugin's name; it is of the form [a-z][a-z0-9]*")
    plugins = survey(find(), read_manifest(settings))
    needing = [one for one in plugins if name in one.needs]
    running = [one.name for one in plugins if one.enabled and (one.name == name or one in needing)]
    if running:
        raise PurgeRefused(f"{', '.join(running)} may run and use its tables: vinc plugins disable {running[-1]}")
    return [one.name for one in needing]
