"""`vinc PLUGIN COMMAND`: the functions that plugins contribute as commands."""

from __future__ import annotations

import argparse
import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from ..app import create_app
from ..contracts import CommandGroup
from ..errors import VincError
from ..plugins.assemble import AssembledPlugin
from ..plugins.check import command_name
from ..runtime import App
from ..settings import KernelSettings, Sources
from .command import Commands
from .signature import add_parameters, call, parameters_of

CHOSEN = "chosen command"  # no parameter can have that name


def run(argv: Sequence[str], settings: KernelSettings, sources: Sources) -> int:
    """Run a plugin's command; for one that takes `app`, with the connections open."""
    app = create_app(settings, sources)
    member = next((one for one in app.assembly.members if one.plugin.name == argv[0]), None)
    if member is None:
        raise VincError(f"{argv[0]} is not enabled: vinc plugins enable {argv[0]}")
    if member.error is not None:
        raise member.error
    args = make_parser(member).parse_args(argv[1:])
    function: Callable[..., Any] = getattr(args, CHOSEN)

    async def with_app() -> object:
        app.runtime.registry.runs_background = False
        async with app.lifespan() as runtime:
            return await finish(call(function, args, runtime.apps[argv[0]]))

    if any(parameter.annotation is App for parameter in parameters_of(function)):
        result = asyncio.run(with_app())
    else:  # outside of any loop: a command may run one of its own
        result = call(function, args)
        result = asyncio.run(finish(result)) if inspect.isawaitable(result) else result
    return result if isinstance(result, int) else 0


async def finish(result: object) -> object:
    return await result if inspect.isawaitable(result) else result


def make_parser(member: AssembledPlugin) -> argparse.ArgumentParser:
    """The commands of one plugin; each function's docstring is its help."""
    commands = member.contribution.commands
    description = None if commands else "It has no commands."
    parser = argparse.ArgumentParser(prog=f"vinc {member.plugin.name}", description=description)
    added = parser.add_subparsers(metavar="COMMAND", required=True)
    for part in commands:
        if isinstance(part, CommandGroup):
            group = added.add_parser(part.name, help=", ".join(map(command_name, part.commands)))
            inner = group.add_subparsers(metavar="COMMAND", required=True)
            for function in part.commands:
                add_command(inner, function)
        else:
            add_command(added, part)
    return parser


def add_command(commands: Commands, function: Callable[..., Any]) -> None:
    text = inspect.getdoc(function) or ""
    one = commands.add_parser(command_name(function), help=text.partition("\n")[0].replace("%", "%%"), description=text)
    one.set_defaults(**{CHOSEN: function})
    add_parameters(one, function)
