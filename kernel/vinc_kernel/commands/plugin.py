"""`vinc PLUGIN COMMAND`: the functions that plugins contribute as commands."""

from __future__ import annotations

import argparse
import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from ..plugins.arrange import arrange
from ..plugins.assemble import Member
from ..plugins.check import command_name
from ..plugins.find import find
from ..services import App
from ..settings import KernelSettings, Sources
from .signature import add_parameters, parameters_of, values_of


def is_plugin(name: str) -> bool:
    return any(one.name == name for one in find())


def run(argv: Sequence[str], settings: KernelSettings, given: Sources) -> int:
    """Run a plugin's command; one that takes `app` gets it with its connections open."""
    from ..app import create_app  # loads every plugin

    app = create_app(settings, given, plugins=arrange(settings))
    member = next((one for one in app.assembly.ready if one.plugin.name == argv[0]), None)
    args = parser(argv[0], member).parse_args(argv[1:])
    function: Callable[..., Any] = args.function
    values = values_of(function, args)

    async def call() -> object:
        if not takes_app(function):
            return await finished(function(**values))
        async with app.lifespan() as services:
            return await finished(function(App(services, argv[0]), **values))

    result = asyncio.run(call())
    return result if isinstance(result, int) else 0


async def finished(result: object) -> object:
    return await result if inspect.isawaitable(result) else result


def parser(plugin: str, member: Member | None) -> argparse.ArgumentParser:
    """The commands of one plugin; each function's docstring is its help."""
    commands = member.contribution.commands if member else ()
    nothing = "It is not enabled here." if member is None else "It has no commands."
    made = argparse.ArgumentParser(prog=f"vinc {plugin}", description=None if commands else nothing)
    added = made.add_subparsers(metavar="COMMAND", required=True)
    for function in commands:
        text = inspect.getdoc(function) or ""
        one = added.add_parser(
            command_name(function), help=text.partition("\n")[0].replace("%", "%%"), description=text
        )
        one.set_defaults(function=function)
        add_parameters(one, function)
    return made


def takes_app(function: Callable[..., Any]) -> bool:
    return any(parameter.annotation is App for parameter in parameters_of(function))
