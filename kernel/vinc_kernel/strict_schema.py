"""Make a schema of Pydantic's strict, for values of JSON or for the texts of an address.

Pydantic's own strict mode refuses text for an id or a date in a value that is parsed already, and its lenient one takes
`"yes"` for true and `true` for 1. The form of core schemas is documented in `pydantic_core.core_schema`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from pydantic import BaseModel
from pydantic_core import SchemaValidator, core_schema

from . import scalars

Node = dict[str, Any]
Forms = Mapping[str, Callable[[Node], Node]]
# What holds no schema of a value. Keys of an object are texts, whatever their type.
OPAQUE = frozenset(
    {"config", "default", "function", "json_schema_input_schema", "keys_schema", "metadata", "serialization"}
)


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
    node = {name: one if name in OPAQUE else convert(one, forms) for name, one in part.items()}
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
    reference = node.get("ref")
    inner: Any = before(scalars.as_timestamp, microseconds_precision="error", ref=None)(
        {"tz_constraint": "aware", **node}
    )
    return dict(core_schema.no_info_after_validator_function(scalars.in_utc, inner, ref=reference))


def choice(node: Node) -> Node:
    """Refuse what is merely equal to a choice, as `true` is to 1."""
    types = {type(value) for value in node.get("expected") or [member.value for member in node["members"]]}

    def check(given: Any) -> Any:
        if type(given) not in types and not isinstance(given, Enum):
            raise scalars.refusal("choice")
        return given

    return before(check)(node)


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
    "str": text,
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
TEXTS: Forms = {**BOTH, "bool": before(scalars.boolean), "int": before(scalars.integer)}


class StrictModel(BaseModel):
    """A model that takes nothing for what it merely resembles."""

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        cls.__pydantic_validator__ = strict_validator(cls.__pydantic_core_schema__, JSON)
