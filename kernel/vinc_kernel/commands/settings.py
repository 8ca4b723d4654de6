"""`vinc settings`: the effective settings, and where each came from."""

from __future__ import annotations

from argparse import Namespace

from ..settings import KernelSettings, Sources, read_settings
from .command import Commands, print_table, say


def add(commands: Commands) -> None:
    made = commands.add_parser("settings", help="show the effective settings and where each came from")
    made.set_defaults(run=run)


def run(_args: Namespace, settings: KernelSettings, given: Sources) -> int:
    from ..plugins.assemble import LoadOptions, assemble  # what only this command needs
    from ..plugins.trials import select_plugins

    _, origins = read_settings(given)
    assembly = assemble(select_plugins(settings, given), LoadOptions(settings=settings, sources=given))
    for member in assembly.members:
        origins += member.origins
    print_table([("SETTING", "VALUE", "FROM"), *((one.name, one.shown, one.source) for one in origins)])
    for line in assembly.unread(given, settings):
        say(f"warning: {line}")
    return 0
