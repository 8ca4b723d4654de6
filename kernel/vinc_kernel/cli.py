"""The `vinc` command. Exit codes: 0 done, 1 refused or failed, 2 usage, 3 findings."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.metadata import EntryPoint
from io import TextIOWrapper
from traceback import print_exc, walk_tb

from .commands.command import Command, OutputLost, complain, flush_output, give_up_output
from .errors import StartErrors, VincError
from .plugins.find import RESERVED, find, first_of_each
from .settings import KernelSettings, Sources, read_settings

COMMANDS = ("serve", "plugins", "check", "settings")
GROUP = "vinc.commands"


def added_commands() -> Mapping[str, EntryPoint]:
    """Return commands of other distributions by name; `plugins.purge` is one below `plugins`."""
    found: dict[str, EntryPoint] = {}
    for distribution in first_of_each():
        with suppress(Exception):  # a distribution that cannot be read hides no other's commands
            found |= {one.name: one for one in distribution.entry_points.select(group=GROUP)}
    return found


def parser(command: str = "") -> argparse.ArgumentParser:
    """Return the parser of this command, or of all for an unknown one; importing all takes most of a second."""
    added = added_commands()
    known = [*COMMANDS, *(name for name in added if "." not in name)]
    parser = argparse.ArgumentParser(
        prog="vinc",
        description="Run, check and look after a Vinc installation.",
        epilog="A plugin's own commands: vinc PLUGIN --help",
    )
    parsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in [command] if command in known else known:
        module = added[name].load() if name in added else import_module(f"{__package__}.commands.{name}")
        inner = module.add(parsers)
        for below, one in added.items():
            if below.startswith(f"{name}."):
                one.load().add(inner)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; what fails is one line a problem on stderr, and VINC_DEBUG=1 adds the traceback of a fault."""
    try:
        return run(list(sys.argv[1:] if argv is None else argv))
    except VincError as error:
        for one in error.errors if isinstance(error, StartErrors) else str(error).split("\n"):
            complain(str(one))
        return 1
    except BrokenPipeError:  # `vinc plugins | head`: the reader has closed the pipe
        give_up_output()
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001  a command of a plugin may raise anything, and so may we
        from .plugins.load import text_of  # which takes a third of a second, and only this needs it

        if os.environ.get("VINC_DEBUG"):
            print_exc()
        *_, (frame, line) = walk_tb(error.__traceback__)
        where = f"{frame.f_code.co_filename}:{line}"
        complain(f"{type(error).__name__}: {text_of(error)} ({where}); VINC_DEBUG=1 shows the whole traceback")
        return 1


def run(argv: Sequence[str]) -> int:
    if sys.stdout is None:  # no command runs without a way to report
        raise OutputLost("is closed")
    try:
        name = argv[0] if argv else ""
        if name not in RESERVED and any(one.name == name for one in find()):
            from .commands import plugin  # loads every plugin

            return plugin.run(argv, *from_environment())
        args = parser(name).parse_args(argv)
        command: Command = args.run
        return command(args, *from_environment())
    finally:
        flush_output()


def from_environment() -> tuple[KernelSettings, Sources]:
    sources = Sources.read(os.environ)
    return read_settings(sources)[0], sources


def script() -> None:
    """Run the installed `vinc`, and end the process even while threads of a plugin run."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as for stderr: no text of a plugin fails a command
    code = main()
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    script()
