"""Turn a function's parameters into command-line arguments: with a default an option, else a positional argument.

One before a `/` with a default is an optional positional argument; one after a `*` without a default is a required
option. An option that is `str | bool` takes an optional value. Its help is the `Doc` of its annotation:
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
    """Return the parameters with their annotations as types, not as text."""
    hints = typing.get_type_hints(function)
    parameters = inspect.signature(function).parameters.values()
    return [one.replace(annotation=hints.get(one.name, str)) for one in parameters]


def help_of(annotation: Any) -> str | None:
    """Return the text of its `Doc`, escaped for argparse; None without one."""
    texts = [one.documentation for one in getattr(annotation, "__metadata__", ()) if isinstance(one, Doc)]
    return texts[0].replace("%", "%%") if texts else None


def add_parameters(parser: argparse.ArgumentParser, function: Callable[..., Any]) -> None:
    documented = typing.get_type_hints(function, include_extras=True)
    for parameter in parameters_of(function):
        if parameter.annotation is not App:
            add_parameter(parser, parameter, help_of(documented.get(parameter.name)))


def add_parameter(parser: argparse.ArgumentParser, parameter: inspect.Parameter, text: str | None) -> None:
    kind = reader(parameter.annotation)
    option = f"--{parameter.name.replace('_', '-')}"
    if parameter.default is inspect.Parameter.empty:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            parser.add_argument(option, type=kind, required=True, help=text)
        else:
            parser.add_argument(parameter.name, type=kind, help=text)
        return
    if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        parser.add_argument(parameter.name, type=kind, nargs="?", default=parameter.default, help=text)
        return
    if parameter.annotation == str | bool:
        parser.add_argument(option, nargs="?", const=True, default=parameter.default, metavar="VALUE", help=text)
    elif parameter.annotation is bool:
        parser.add_argument(option, action=argparse.BooleanOptionalAction, default=parameter.default, help=text)
    else:
        default = None if parameter.default is None else "default: %(default)s"
        text = f"{text} ({default})" if text and default else text or default
        parser.add_argument(option, type=kind, default=parameter.default, help=text)


def reader(annotation: Any) -> Callable[[str], Any]:
    """Return a function that reads a text as this type, by Pydantic's rules, as in a request."""
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)

    def read(text: str) -> Any:
        return adapter.validate_python(text)

    read.__name__ = getattr(annotation, "__name__", str(annotation))  # argparse: "invalid date value"
    return read


def call(function: Callable[..., Any], args: argparse.Namespace, app: App | None = None) -> Any:
    """Call the function with these arguments; `app` is for the parameter of that type."""
    bound = inspect.signature(function).bind_partial()
    for one in parameters_of(function):
        bound.arguments[one.name] = app if one.annotation is App else getattr(args, one.name)
    return function(*bound.args, **bound.kwargs)
