"""Make command-line arguments of a function's parameters: with a default an option, without one a position.

One before a `/` that has a default is a position that may be left out; one after a `*` that has none is an option that
may not. An option that is `str | bool` may be given with a text or without.
"""

from __future__ import annotations

import argparse
import inspect
import typing
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter

from ..services import App


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters with their annotations as types, not as text."""
    hints = typing.get_type_hints(function)
    found = inspect.signature(function).parameters.values()
    return [one.replace(annotation=hints.get(one.name, str)) for one in found]


def add_parameters(parser: argparse.ArgumentParser, function: Callable[..., Any]) -> None:
    for parameter in parameters_of(function):
        if parameter.annotation is not App:
            add_parameter(parser, parameter)


def add_parameter(parser: argparse.ArgumentParser, parameter: inspect.Parameter) -> None:
    kind = reader(parameter.annotation)
    option = f"--{parameter.name.replace('_', '-')}"
    if parameter.default is inspect.Parameter.empty:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            parser.add_argument(option, type=kind, required=True)
        else:
            parser.add_argument(parameter.name, type=kind)
        return
    if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        parser.add_argument(parameter.name, type=kind, nargs="?", default=parameter.default)
        return
    if parameter.annotation == str | bool:
        parser.add_argument(option, nargs="?", const=True, default=parameter.default, metavar="VALUE")
    elif parameter.annotation is bool:
        parser.add_argument(option, action=argparse.BooleanOptionalAction, default=parameter.default)
    else:
        parser.add_argument(option, type=kind, default=parameter.default, help="default: %(default)s")


def reader(annotation: Any) -> Callable[[str], Any]:
    """Read the text as this type, by Pydantic's rules: dates, UUIDs and choices work as in a request."""
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)

    def read(text: str) -> Any:
        return adapter.validate_python(text)

    read.__name__ = getattr(annotation, "__name__", str(annotation))  # argparse: "invalid date value"
    return read


def called(function: Callable[..., Any], args: argparse.Namespace, app: App | None = None) -> Any:
    """What the function returns for these arguments; `app` is for the parameter that asks for it."""
    positions: list[Any] = []
    named: dict[str, Any] = {}
    for one in parameters_of(function):
        value = app if one.annotation is App else getattr(args, one.name)
        if one.kind is inspect.Parameter.POSITIONAL_ONLY:
            positions.append(value)
        else:
            named[one.name] = value
    return function(*positions, **named)
