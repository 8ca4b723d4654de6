"""The columns that a list may be filtered and ordered by.

Under row level security PostgreSQL uses an index for leakproof operators only: `=` and `<` of text, uuid, integer,
boolean, date and timestamptz. Those of numeric, enums, citext and of expressions read every row of the tenant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field
from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Integer, SmallInteger, String, Text, Uuid
from sqlalchemy.orm import InstrumentedAttribute

from .. import scalars
from ..contracts import made_at
from . import types


@dataclass(frozen=True, slots=True)
class Kind:
    """The Python type of a column, and of its query parameter; a `ranged` one has filters `_from` and `_before` too."""

    python: type
    parameter: Any
    ranged: bool = False


def bits(number: int) -> Any:
    edge = 2 ** (number - 1)
    return Annotated[int, Field(ge=-edge, le=edge - 1), BeforeValidator(scalars.integer)]


TEXT = Annotated[types.Text, BeforeValidator(scalars.clean)]  # what is stored is in NFC
# By the exact type of the column: Enum, for one, is a String too.
KINDS: dict[type, Kind] = {
    String: Kind(str, TEXT),
    Text: Kind(str, TEXT),
    Uuid: Kind(UUID, Annotated[UUID, BeforeValidator(scalars.as_uuid, json_schema_input_type=UUID)]),
    SmallInteger: Kind(int, bits(16), ranged=True),
    Integer: Kind(int, bits(32), ranged=True),
    BigInteger: Kind(int, bits(64), ranged=True),
    Boolean: Kind(bool, types.Boolean),
    Date: Kind(date, types.Date, ranged=True),
    DateTime: Kind(datetime, types.UtcDateTime, ranged=True),
}


def plain_column(name: str, attribute: Any) -> Column[Any]:
    """Return the column of a model's attribute; raises TypeError where no index can be used."""
    columns = attribute.property.columns if isinstance(attribute, InstrumentedAttribute) else []
    if len(columns) != 1 or not isinstance(columns[0], Column):
        raise refused(name, "is no column of a model: name one, as in Invoice.number")
    column: Column[Any] = columns[0]
    kind: Any = column.type
    if type(kind) not in KINDS or not getattr(kind, "as_uuid", True) or not getattr(kind, "timezone", True):
        cure = "use text, uuid, int, bool, date or timestamptz"
        raise refused(name, f"is of a type ({kind!r}) that no index helps under row level security: {cure}")
    return column


def refused(name: str, why: str) -> TypeError:
    return TypeError(f"{made_at()}: {name!r} {why}")
