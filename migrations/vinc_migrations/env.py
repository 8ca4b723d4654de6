"""What `alembic` meets here: `upgrade head`, `upgrade heads` and `current` work, everything else is refused.

Stock commands know one history and one version table; run through ours, any of them would upgrade everything.
"""

from __future__ import annotations

import os

from alembic import context
from alembic.util import CommandError

from vinc_kernel.database.roles import Roles
from vinc_kernel.errors import VincError
from vinc_kernel.settings import Sources, read_settings

from .find import address, histories
from .run import current, upgrade
from .unit import How

INSTEAD = {
    "upgrade": "vinc db upgrade --plugin NAME --to REVISION",
    "downgrade": "vinc db downgrade --plugin NAME --to REVISION",
    "revision": "vinc db revision --plugin NAME -m MESSAGE",
    "check": "vinc db check",
    "history": "vinc db history",
}
NEWEST = frozenset({"head", "heads"})


def run() -> None:
    """Do what `alembic` was called for, over all plugins; raises CommandError, which it prints in one line."""
    options = getattr(context.config, "cmd_opts", None)
    command = options.cmd[0].__name__ if options and getattr(options, "cmd", None) else "command"
    is_plain = getattr(options, "revision", "") in NEWEST and not getattr(options, "sql", False)
    try:
        if command == "current":
            print_places()
        elif command == "upgrade" and is_plain:
            settings = read_settings(Sources.read(os.environ))[0]
            how = How(roles=Roles(settings.database.role_prefix), tell=print)
            upgrade(address(settings.database), histories(settings), how)
        else:
            refuse(command)
    except VincError as error:
        raise CommandError(str(error)) from error


def refuse(command: str) -> None:
    """Raise CommandError with the `vinc db` command to use."""
    instead = INSTEAD.get(command, "vinc db --help")
    raise CommandError(f"`alembic {command}` would run over every plugin's history here; use `{instead}`")


def print_places() -> None:
    settings = read_settings(Sources.read(os.environ))[0]
    for place in current(address(settings.database), histories(settings)):
        at = place.at or "base"
        print(f"{place.plugin}: {at}{' (head)' if place.at == place.head else ''}")  # noqa: T201  Alembic's command prints
