"""Make command-line arguments of a function's parameters: with a default an option, without one a position.

One before a `/` that has a default is a position that may be left out; one after a `*` that has none is an option that
may not. An option that is `str | bool` may be given with a text or without. Its help is the `Doc` of its annotation:
`days: Annotated[int, Doc("how many days ahead")] = 7`.
"""

from __future__ import annotations

import argparse
import inspect
import typing
from collections.abc import Callable
from typing import Any

from annotated_doc import Doc
from pydantic import TypeAdapter

from ..runtime import App


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters with their annotations as types, not as text."""
    hints = typing.get_type_hints(function)
    found = inspect.signature(function).parameters.values()
    return [one.replace(annotation=hints.get(one.name, str)) for one in found]


def help_of(annotation: Any) -> str | None:
    """What its `Doc` says, as argparse wants it written; None without one."""
    said = [one.documentation for one in getattr(annotation, "__metadata__", ()) if isinstance(one, Doc)]
    return said[0].replace("%", "%%") if said else None


def add_parameters(parser: argparse.ArgumentParser, function: Callable[..., Any]) -> None:
    documented = typing.get_type_hints(function, include_extras=True)
    for parameter in parameters_of(function):
        if parameter.annotation is not App:
            add_parameter(parser, parameter, help_of(documented.get(parameter.name)))


def add_parameter(parser: argparse.ArgumentParser, parameter: inspect.Parameter, said: str | None) -> None:
    kind = reader(parameter.annotation)
    option = f"--{parameter.name.replace('_', '-')}"
    if parameter.default is inspect.Parameter.empty:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            parser.add_argument(option, type=kind, required=True, help=said)
        else:
            parser.add_argument(parameter.name, type=kind, help=said)
        return
    if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        parser.add_argument(parameter.name, type=kind, nargs="?", default=parameter.default, help=said)
        return
    if parameter.annotation == str | bool:
        parser.add_argument(option, nargs="?", const=True, default=parameter.default, metavar="VALUE", help=said)
    elif parameter.annotation is bool:
        parser.add_argument(option, action=argparse.BooleanOptionalAction, default=parameter.default, help=said)
    else:
        usual = None if parameter.default is None else "default: %(default)s"
        told = f"{said} ({usual})" if said and usual else said or usual
        parser.add_argument(option, type=kind, default=parameter.default, help=told)


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
