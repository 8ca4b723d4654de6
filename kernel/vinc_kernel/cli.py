"""The `vinc` command. Exit codes: 0 done, 1 refused or failed, 2 usage, 3 findings."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .commands import check, db, plugin, plugins, serve, settings
from .commands.command import Command
from .errors import VincError
from .settings import KernelSettings, Sources, read_settings

COMMANDS = (serve, plugins, check, settings, db)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="vinc",
        description="Run, check and look after a Vinc installation.",
        epilog="A plugin's own commands: vinc PLUGIN --help",
    )
    added = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(added)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; what Vinc refuses is one line a problem on stderr, anything else keeps its traceback."""
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        if given and plugin.is_plugin(given[0]):
            return plugin.run(given, *from_environment())
        args = parser().parse_args(given)
        run: Command = args.run
        return run(args, *from_environment())
    except VincError as error:
        for line in str(error).splitlines():
            print(f"vinc: {line}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `vinc plugins | head`: whoever reads has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def from_environment() -> tuple[KernelSettings, Sources]:
    given = Sources.read(os.environ)
    return read_settings(given)[0], given


def script() -> None:
    """What the installed `vinc` runs: a plugin may have left threads that would not let the process end."""
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    script()
