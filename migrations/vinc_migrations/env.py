"""What `alembic` runs here: `upgrade head`, `upgrade heads` and `current` work, everything else is refused.

Stock commands know one history and one version table; run through ours, any of them would upgrade everything.
"""

from __future__ import annotations

import os

from alembic import context
from alembic.util import CommandError

from vinc_kernel.database.roles import Roles
from vinc_kernel.errors import VincError
from vinc_kernel.settings import KernelSettings, Sources, read_settings

from .connection import MigrationOptions
from .find import KERNEL_HISTORY, address, plugin_histories, plugin_needs, readable
from .run import current, upgrade

INSTEAD = {
    "upgrade": "vinc db upgrade --plugin NAME --to REVISION",
    "downgrade": "vinc db downgrade --plugin NAME --to REVISION",
    "revision": "vinc db revision --plugin NAME -m MESSAGE",
    "check": "vinc db check",
    "history": "vinc db history",
}
NEWEST = frozenset({"head", "heads"})


def run() -> None:
    """Do what `alembic` was called for, over all histories; raises CommandError, which it prints in one line."""
    called = getattr(context.config, "cmd_opts", None)
    command = called.cmd[0].__name__ if called and getattr(called, "cmd", None) else "command"
    is_plain = getattr(called, "revision", "") in NEWEST and not getattr(called, "sql", False)
    try:
        if command == "current":
            print_states()
        elif command == "upgrade" and is_plain:
            given = settings()
            options = MigrationOptions(roles=Roles(given.database.role_prefix), report=print)
            histories, needs = plugin_histories(given), plugin_needs(given)
            upgrade(address(given.database), histories, options, needs=needs)
        else:
            instead = INSTEAD.get(command, "vinc db --help")
            raise CommandError(f"`alembic {command}` would run over every plugin's history here; use `{instead}`")
    except VincError as error:
        raise CommandError(str(error)) from error


def settings() -> KernelSettings:
    return read_settings(Sources.read(os.environ))[0]


def print_states() -> None:
    given = settings()
    found, broken = readable([KERNEL_HISTORY, *plugin_histories(given)])
    for state in current(address(given.database), found):
        at = state.at or "base"
        print(f"{state.plugin}: {at}{' (head)' if state.at == state.head else ''}")  # noqa: T201  Alembic's command prints
    if broken:
        raise CommandError("; ".join(broken))
