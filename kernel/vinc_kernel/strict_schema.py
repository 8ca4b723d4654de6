"""Make a schema of Pydantic's strict, for values of JSON or for the texts of an address.

Pydantic's own strict mode refuses text for an id or a date in a value that is parsed already, and its lenient one takes
`"yes"` for true and `true` for 1. The form of core schemas is documented in `pydantic_core.core_schema`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from functools import partial
from types import NoneType
from typing import Any

from pydantic import BaseModel
from pydantic_core import SchemaValidator, core_schema

from . import scalars

Node = dict[str, Any]
SCALARS = (str, int, float, Decimal, NoneType)
Forms = Mapping[str, Callable[[Node], Node]]
# What holds no schema of a value.
OPAQUE = frozenset({"config", "default", "function", "json_schema_input_schema", "metadata", "serialization"})


def strict_validator(schema: Any, forms: Forms) -> SchemaValidator:
    """Return a validator of this schema with these forms of scalars: `JSON` or `TEXTS`."""
    return SchemaValidator(convert(schema, forms), _use_prebuilt=False)  # those that models have read otherwise


def convert(part: Any, forms: Forms) -> Any:
    if isinstance(part, list | tuple):
        return type(part)(convert(one, forms) for one in part)
    if not isinstance(part, dict):
        return part
    kind = part.get("type")
    if not isinstance(kind, str):  # fields or choices by name
        return {name: convert(one, forms) for name, one in part.items()}
    inner = {"keys_schema": TEXTS}  # keys of an object are texts, as in an address
    node = {name: one if name in OPAQUE else convert(one, inner.get(name, forms)) for name, one in part.items()}
    return forms[kind](node) if kind in forms else node


def before(read: Callable[[Any], Any], **constraints: Any) -> Callable[[Node], Node]:
    """Return a form that calls a function first."""

    def form(node: Node) -> Node:
        inner = {**node, **constraints}
        reference = inner.pop("ref", None)  # others refer to the whole
        schema: Any = core_schema.no_info_before_validator_function(read, inner, ref=reference)
        return dict(schema)

    return form


def strict(node: Node) -> Node:
    return {**node, "strict": True}


def text(node: Node) -> Node:
    return before(scalars.filled if node.get("min_length") else scalars.clean, strict=True)(node)


def timestamp(node: Node) -> Node:
    """Without an offset nobody knows when it is, and a digit behind the microseconds would be lost."""
    aware: Any = {"tz_constraint": "aware", **node, "microseconds_precision": "error"}
    utc: Any = core_schema.no_info_after_validator_function(scalars.in_utc, aware, ref=aware.pop("ref", None))
    return before(scalars.as_timestamp)(utc)


def in_json(value: Any) -> list[Any]:
    """Return how JSON writes a choice: 1 is the fraction 1.0, and answers have decimals as texts."""
    fraction = isinstance(value, float | Decimal)
    numbers = [(float, float(value)), (int, value)] if fraction else [(type(value), value)]
    return [*numbers, (str, str(value))] if isinstance(value, Decimal) else numbers


def in_text(value: Any) -> list[Any]:
    """Return how an address writes a choice; it has nothing for null."""
    return [] if value is None else [(str, str(value).lower() if isinstance(value, bool) else str(value))]


def choice(node: Node, spell: Callable[[Any], list[Any]] = in_json) -> Node:
    """Refuse what is merely equal to a choice, as `true` is to 1."""
    pairs = [(one, one.value if isinstance(one, Enum) else one) for one in node.get("expected") or node["members"]]
    choices = {key: one for one, value in pairs if isinstance(value, SCALARS) for key in spell(value)}
    types = {type(value) for _, value in pairs}

    def check(given: Any) -> Any:
        kind = float if isinstance(given, scalars.JsonNumber) else type(given)
        if isinstance(given, SCALARS) and (kind, given) in choices:
            return choices[kind, given]
        if not isinstance(given, Enum) and (kind not in types or any(given == value for _, value in pairs)):
            raise scalars.refusal("choice")
        return given

    return before(check)(node)


def tags(node: Node) -> Node:
    """Find a choice by the value of its tag too, where that is a member of an enum."""
    values = {tag.value: one for tag, one in node["choices"].items() if isinstance(tag, Enum)}
    return {**node, "choices": {**node["choices"], **values}}


def keyed(node: Node) -> Node:
    """Refuse an object of which two keys are one: a value would get lost."""

    def check(given: Any, read: Callable[[Any], Any]) -> Any:
        found = read(given)
        if len(found) != len(given):
            raise scalars.refusal("keys")
        return found

    inner: Any = dict(node)
    reference = inner.pop("ref", None)
    schema: Any = core_schema.no_info_wrap_validator_function(check, inner, ref=reference)
    return dict(schema)


def without_texts(node: Node) -> Node:
    """In JSON a number is no text: leave out what reads one, the schema behind it is strict."""
    return dict(node["schema"]) if node["function"]["function"] in (scalars.integer, scalars.boolean) else node


def sent_text(node: Node) -> Node:
    """The text of a request, unlike the one of an answer, is more than blanks."""
    if node["function"]["function"] is not scalars.storable:
        return node
    return {**node, "function": {**node["function"], "function": scalars.filled}}


BOTH: Forms = {
    "date": before(scalars.as_date),
    "datetime": timestamp,
    "decimal": before(scalars.exact),
    "dict": keyed,
    "str": text,
    "tagged-union": tags,
    "time": before(scalars.as_time, microseconds_precision="error"),
    "timedelta": before(scalars.as_time, microseconds_precision="error"),
    "uuid": before(scalars.as_uuid),
}
JSON: Forms = {
    **BOTH,
    "bool": strict,
    "enum": choice,
    "float": strict,
    "function-after": sent_text,
    "function-before": without_texts,
    "int": strict,
    "literal": choice,
}
TEXTS: Forms = {
    **BOTH,
    "bool": before(scalars.boolean),
    "enum": partial(choice, spell=in_text),
    "float": before(scalars.fraction),
    "int": before(scalars.integer),
    "literal": partial(choice, spell=in_text),
}


class StrictModel(BaseModel):
    """A model that takes nothing for what it merely resembles."""

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        cls.__pydantic_validator__ = strict_validator(cls.__pydantic_core_schema__, JSON)
