"""What people read about a value that is not valid, by the code of Pydantic's error.

Pydantic speaks to developers ("Input should be a valid integer"). The only values in a message are the rule's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..scalars import RULES

CODES = {
    RULES["boolean"]: "bool_parsing bool_type",
    RULES["date"]: "date_from_datetime_inexact date_from_datetime_parsing date_parsing date_type",
    RULES["integer"]: "int_from_float int_parsing int_type",
    RULES["timestamp"]: "datetime_from_date_parsing datetime_parsing datetime_type",
    "is not known here": "extra_forbidden",
    "is required": "missing",
    "is too large a number": "int_parsing_size",
    "must be a finite number": "finite_number",
    "must be a list": "list_type",
    "must be a multiple of {multiple_of}": "multiple_of",
    "must be a number": "decimal_parsing decimal_type float_parsing float_type",
    "must be an object": "dataclass_type dict_type model_attributes_type model_type",
    "must be at least {ge}": "greater_than_equal",
    "must be at most {le}": "less_than_equal",
    "must be less than {lt}": "less_than",
    "must be more than {gt}": "greater_than",
    "must be text": "string_type",
    "must be {expected}": "enum literal_error",
    "must have an offset, as in 2026-11-24T12:00:00Z": "timezone_aware",
    "must have at least {min_length} characters": "string_too_short",
    "must have at least {min_length} items": "too_short",
    "must have at most {decimal_places} digits behind the point": "decimal_max_places",
    "must have at most {max_digits} digits": "decimal_max_digits",
    "must have at most {max_length} characters": "string_too_long",
    "must have at most {max_length} items": "too_long",
    "must have at most {whole_digits} digits before the point": "decimal_whole_digits",
    "must match the pattern {pattern}": "string_pattern_mismatch",
}
MESSAGES = {code: message for message, codes in CODES.items() for code in codes.split()}


def known_message(error: Mapping[str, Any]) -> str | None:
    """Return the message about an error of the kernel's or of Pydantic's; None for one that a plugin has written."""
    code, text = error["type"], error["msg"]
    if RULES.get(code) == text:
        return str(text)
    if isinstance(error.get("input"), str) and code in {"too_long", "too_short"}:  # the length of `Text`
        code = f"string_{code}"
    try:
        message = MESSAGES[code].format_map(error.get("ctx") or {})
    except KeyError:
        return None
    return re.sub(r"\b1 (character|digit|item)s", r"1 \1", message)
