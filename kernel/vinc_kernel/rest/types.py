"""Types of fields: each refuses what would be an error of the database, or another value, later."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, JsonValue, PlainSerializer

from ..scalars import AMOUNT, as_date, as_timestamp, boolean, in_utc, integer, money, refusal, storable

DEEPEST = 32


def storable_json(value: Any) -> Any:
    waiting = [(value, 1)]
    while waiting:
        part, depth = waiting.pop()
        if depth > DEEPEST:
            raise refusal("depth")
        if isinstance(part, str):
            storable(part)
        elif isinstance(part, float) and not math.isfinite(part):
            raise refusal("finite")
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
AmountText = Annotated[str, Field(pattern=f"^{AMOUNT}$", examples=["12.50"])]
Money = Annotated[
    Decimal,
    BeforeValidator(money, json_schema_input_type=AmountText | float),
    PlainSerializer(lambda value: format(value, "f"), return_type=AmountText, when_used="json"),
]
"""An amount of money, exact; answers write it as text."""
UtcDateTime = Annotated[
    AwareDatetime, BeforeValidator(as_timestamp, json_schema_input_type=datetime), AfterValidator(in_utc)
]
"""A point in time with its offset, converted to UTC."""
Date = Annotated[date, BeforeValidator(as_date, json_schema_input_type=date)]
"""A calendar date."""
Json = Annotated[JsonValue, BeforeValidator(storable_json)]
"""Any JSON value, at most 32 levels deep."""
