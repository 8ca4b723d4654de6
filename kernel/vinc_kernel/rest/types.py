"""Types of fields: each refuses what would be an error of the database, or another value, later."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, JsonValue

DEEPEST = 32
# RFC 8259, 6, without fractions and exponents: `1_0`, ` 1`, `1.0` and `true` are not the number that was meant.
whole_number = re.compile(r"-?(0|[1-9][0-9]{0,18})").fullmatch
amount = re.compile(r"-?(0|[1-9][0-9]{0,13})(\.[0-9]{1,4})?").fullmatch

# What PostgreSQL cannot store.
unstorable = re.compile("[\x00\ud800-\udfff]").search
full_date = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
timestamp = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9].*").match  # Pydantic checks the rest


def storable(text: str) -> str:
    if unstorable(text):
        raise ValueError("must be text without NUL and lone surrogates")
    return text


def integer(given: Any) -> int:
    """Return a whole number from a JSON number or, in addresses, from decimal digits."""
    if type(given) is int:
        return given
    if isinstance(given, str) and whole_number(given):
        return int(given)
    raise ValueError("must be a whole number")


def boolean(given: Any) -> bool:
    """Return a boolean from a JSON boolean or, in addresses, from `true` and `false`."""
    if isinstance(given, bool):
        return given
    if given in ("true", "false"):
        return bool(given == "true")
    raise ValueError("must be true or false")


def money(given: Any) -> Decimal:
    if isinstance(given, Decimal) and given.is_finite():
        given = format(given, "f")
    text = str(given) if type(given) in (int, float) else given
    if isinstance(text, str) and amount(text):
        return Decimal(text)
    raise ValueError("must be an amount like 12.50, with at most 14 digits before the point and 4 behind")


def as_timestamp(given: Any) -> Any:
    """Refuse numbers, which Pydantic would read as seconds or milliseconds since 1970 (RFC 3339 is text)."""
    if not isinstance(given, datetime) and not (isinstance(given, str) and timestamp(given)):
        raise ValueError("must be a moment like 2026-11-24T12:00:00Z")
    return given


def as_date(given: Any) -> Any:
    """Refuse numbers and timestamps (RFC 3339, 5.6: full-date)."""
    if type(given) is not date and not (isinstance(given, str) and full_date(given)):
        raise ValueError("must be a day like 2026-11-24")
    return given


def in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie between the years 1 and 9999 in UTC") from None


def storable_json(value: Any) -> Any:
    waiting = [(value, 1)]
    while waiting:
        part, depth = waiting.pop()
        if depth > DEEPEST:
            raise ValueError(f"must be nested at most {DEEPEST} levels deep")
        if isinstance(part, str):
            storable(part)
        elif isinstance(part, float) and not math.isfinite(part):
            raise ValueError("must hold finite numbers only")
        elif isinstance(part, dict):
            waiting += [(inner, depth + 1) for pair in part.items() for inner in pair]
        elif isinstance(part, list):
            waiting += [(inner, depth + 1) for inner in part]
    return value


Text = Annotated[str, Field(strict=True), AfterValidator(storable)]
"""Text that PostgreSQL can store; add a length with `Field(max_length=...)`."""
Integer = Annotated[int, Field(ge=-(2**63), le=2**63 - 1), BeforeValidator(integer)]
"""A whole number of 64 bits."""
Boolean = Annotated[bool, BeforeValidator(boolean)]
"""True or false; Pydantic alone takes `1`, `on` and `yes` too."""
Money = Annotated[Decimal, BeforeValidator(money, json_schema_input_type=str | float)]
"""An amount of money, exact; answers write it as text."""
UtcDateTime = Annotated[
    AwareDatetime, BeforeValidator(as_timestamp, json_schema_input_type=datetime), AfterValidator(in_utc)
]
"""A point in time with its offset, converted to UTC."""
Date = Annotated[date, BeforeValidator(as_date, json_schema_input_type=date)]
"""A calendar date."""
Json = Annotated[JsonValue, BeforeValidator(storable_json)]
"""Any JSON value, at most 32 levels deep."""
