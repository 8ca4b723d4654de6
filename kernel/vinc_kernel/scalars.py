"""Read one value as what was meant, or refuse it: no lenient reading, no lost digits, nothing PostgreSQL cannot store.

Each rule has a code of its own, which a problem's `errors` repeat.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, LiteralString
from unicodedata import normalize
from uuid import UUID

from pydantic_core import PydanticCustomError

# RFC 8259, 6, without fractions and exponents: `1_0`, ` 1`, `1.0` and `true` are not the number that was meant.
whole_number = re.compile(r"-?(0|[1-9][0-9]{0,18})").fullmatch
json_number = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?").fullmatch  # RFC 8259, 6
plain_decimal = re.compile(r"-?(0|[1-9][0-9]{0,399})(\.[0-9]{1,400})?").fullmatch
AMOUNT = r"-?(0|[1-9][0-9]{0,13})(\.[0-9]{1,4})?"
amount = re.compile(AMOUNT).fullmatch
MOST_DIGITS = 400  # before and behind the point; `1e-999999` would be a megabyte of zeros

unstorable = re.compile("[\x00\ud800-\udfff]").search  # what PostgreSQL cannot store
canonical_id = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch  # as answers have it
full_date = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
too_precise = re.compile(r"[.,][0-9]{7}").search
timestamp = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9].*").match  # Pydantic checks the rest

# By code. A message has nothing of what was sent.
RULES: dict[str, LiteralString] = {
    "blank": "must have more than blanks",
    "boolean": "must be true or false",
    "choice": "must be one of the values that are allowed",
    "date": "must be a day like 2026-11-24",
    "decimal": "must be a number like 12.50",
    "depth": "must be nested at most 32 levels deep",
    "finite": "must hold finite numbers only",
    "finite_number": "must be a finite number",
    "integer": "must be a whole number",
    "keys": "must not have two keys that are the same",
    "money": "must be an amount like 12.50, with at most 14 digits before the point and 4 behind",
    "text": "must be text without NUL and lone surrogates",
    "time": "must be text like 12:30:00, or PT90S for a duration",
    "timestamp": "must be a moment like 2026-11-24T12:00:00Z",
    "uuid": "must be an id like 0199f3c8-0000-7000-8000-00000000000a, in lower case",
    "year": "must lie between the years 1 and 9999 in UTC",
}


def refusal(code: str) -> PydanticCustomError:
    """Return the error of a rule."""
    return PydanticCustomError(code, RULES[code])


class JsonNumber(float):
    """A number of a JSON text with its digits, which a float may not have."""

    __slots__ = ("text",)
    text: str


def storable(text: str) -> str:
    if unstorable(text):
        raise refusal("text")
    return text


def clean(given: Any) -> Any:
    """Return storable text in Unicode's form NFC, so that what looks equal is equal; other values as they are."""
    return normalize("NFC", storable(given)) if isinstance(given, str) else given


def filled(given: Any) -> Any:
    """Return clean text that is not of blanks alone; empty text is a matter of `min_length`."""
    if isinstance(given, str) and given.isspace():
        raise refusal("blank")
    return clean(given)


def integer(given: Any) -> int:
    """Return a whole number from a number or, in addresses, from decimal digits."""
    if type(given) is int:
        return given
    if isinstance(given, str) and whole_number(given):
        return int(given)
    raise refusal("integer")


def fraction(given: Any) -> float:
    """Return a finite number from a number or, in addresses, from what JSON has for it."""
    number = type(given) in (int, float) or (isinstance(given, str) and json_number(given))
    if number and math.isfinite(value := float(given)):
        return value
    raise refusal("finite_number")


def boolean(given: Any) -> bool:
    """Return a boolean from a boolean or, in addresses, from `true` and `false`."""
    if isinstance(given, bool):
        return given
    if given in ("true", "false"):
        return bool(given == "true")
    raise refusal("boolean")


def exact(given: Any) -> Decimal:
    """Return a decimal from a number or from plain digits, with each digit that was sent."""
    if isinstance(given, Decimal) and given.is_finite():
        return given
    value = Decimal("NaN")
    if isinstance(given, JsonNumber) and len(given.text) < 2 * MOST_DIGITS:
        value = Decimal(given.text)
    elif type(given) in (int, float) or (isinstance(given, str) and plain_decimal(given)):
        value = Decimal(str(given))
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -MOST_DIGITS or value.adjusted() > MOST_DIGITS:
        raise refusal("decimal")
    return Decimal(format(value, "f"))  # 1e2 is 100 in answers


def money(given: Any) -> Decimal:
    text = given if isinstance(given, str) else format(exact(given), "f")
    if not amount(text):
        raise refusal("money")
    return Decimal(text)


def as_timestamp(given: Any) -> Any:
    """Refuse numbers, which Pydantic would read as seconds or milliseconds since 1970 (RFC 3339 is text)."""
    if not isinstance(given, datetime) and not (isinstance(given, str) and timestamp(given)):
        raise refusal("timestamp")
    return given


def in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC) if value.tzinfo else value
    except OverflowError:
        raise refusal("year") from None


def as_date(given: Any) -> Any:
    """Refuse numbers and timestamps (RFC 3339, 5.6: full-date)."""
    if type(given) is not date and not (isinstance(given, str) and full_date(given)):
        raise refusal("date")
    return given


def as_time(given: Any) -> Any:
    """Refuse numbers, which Pydantic would read as seconds, and digits behind the microseconds."""
    if not isinstance(given, str | time | timedelta) or (isinstance(given, str) and too_precise(given)):
        raise refusal("time")
    return given


def as_uuid(given: Any) -> Any:
    """Refuse braces, `urn:uuid:`, upper case and missing hyphens: one id has one spelling."""
    if not isinstance(given, UUID) and not (isinstance(given, str) and canonical_id(given)):
        raise refusal("uuid")
    return given
