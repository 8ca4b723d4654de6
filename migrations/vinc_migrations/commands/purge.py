"""`vinc plugins purge`: take the tables of a plugin away that does not run any more."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from vinc_kernel.commands.command import REFUSED, print_table, say
from vinc_kernel.errors import VincError
from vinc_kernel.manifest import read_manifest
from vinc_kernel.plugins.arrange import survey
from vinc_kernel.plugins.find import RESERVED, find, well_formed
from vinc_kernel.settings import KernelSettings, Sources

if TYPE_CHECKING:
    from vinc_kernel.commands.command import Commands


class PurgeRefused(VincError):
    """The plugin may still be in use."""


def add(actions: Commands) -> None:
    made = actions.add_parser("purge", help="take the tables of a disabled plugin away for good; shows them first")
    made.add_argument("name", help="the plugin's name")
    made.add_argument("--yes", action="store_true", help="do it; else the tables and their rows are only shown")
    made.set_defaults(run=run)


def run(args: Namespace, settings: KernelSettings, _: Sources) -> int:
    """Show what goes and, with --yes, drop it."""
    from vinc_kernel.database.roles import (
        Roles,  # what takes most of a second to import, beside commands that need nothing of it
    )

    from ..connection import MigrationOptions
    from ..find import address
    from ..purge import purge

    name: str = args.name
    needed_by = refuse_in_use(name, settings)
    options = MigrationOptions(roles=Roles(settings.database.role_prefix))
    counted = purge(address(settings.database), name, options, needed_by=needed_by, sure=args.yes)
    if counted:
        print_table([("table", "rows"), *((table, str(rows)) for table, rows in counted.items())])
    if args.yes:
        say(f"{name}: {len(counted)} tables are gone")
        return 0
    say(f"{name}: {len(counted)} tables would go, and nothing brings them back; to do it, add --yes")
    return REFUSED


def refuse_in_use(name: str, settings: KernelSettings) -> list[str]:
    """Raise while the plugin, or one that needs it, runs; return the other ones that need it."""
    if not well_formed(name) or name in RESERVED:
        raise PurgeRefused(f"{name!r} is no plugin's name; it is of the form [a-z][a-z0-9]*, and not reserved")
    plugins = survey(find(), read_manifest(settings))
    needing = [one for one in plugins if name in one.needs]
    running = [one.name for one in plugins if one.enabled and (one.name == name or one in needing)]
    if running:
        raise PurgeRefused(f"{', '.join(running)} may run and use its tables: vinc plugins disable {running[-1]}")
    return [one.name for one in needing]
