"""What people read about a value that is not valid, by the code of Pydantic's error.

Pydantic speaks to developers ("Input should be a valid integer"). The only values in a message are the rule's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..scalars import RULES

WHOLE, NUMBER, YES_OR_NO = "must be a whole number", "must be a number", RULES["boolean"]
DAY, MOMENT, OBJECT = RULES["date"], RULES["timestamp"], "must be an object"
MESSAGES: Mapping[str, str] = {
    "bool_parsing": YES_OR_NO,
    "bool_type": YES_OR_NO,
    "dataclass_type": OBJECT,
    "date_from_datetime_inexact": DAY,
    "date_from_datetime_parsing": DAY,
    "date_parsing": DAY,
    "date_type": DAY,
    "datetime_from_date_parsing": MOMENT,
    "datetime_parsing": MOMENT,
    "datetime_type": MOMENT,
    "decimal_max_digits": "must have at most {max_digits} digits",
    "decimal_max_places": "must have at most {decimal_places} digits behind the point",
    "decimal_parsing": NUMBER,
    "decimal_type": NUMBER,
    "decimal_whole_digits": "must have at most {whole_digits} digits before the point",
    "dict_type": OBJECT,
    "enum": "must be {expected}",
    "extra_forbidden": "is not known here",
    "finite_number": "must be a finite number",
    "float_parsing": NUMBER,
    "float_type": NUMBER,
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": WHOLE,
    "int_parsing": WHOLE,
    "int_parsing_size": "is too large a number",
    "int_type": WHOLE,
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "missing": "is required",
    "model_attributes_type": OBJECT,
    "model_type": OBJECT,
    "multiple_of": "must be a multiple of {multiple_of}",
    "none_required": "must be null",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "string_type": "must be text",
    "timezone_aware": "must have an offset, as in 2026-11-24T12:00:00Z",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length} items",
}


def known_message(error: Mapping[str, Any]) -> str | None:
    """Return the message about an error of the kernel's or of Pydantic's; None for one that a plugin has written."""
    code, text = error["type"], error["msg"]
    if RULES.get(code) == text:
        return str(text)
    if code not in MESSAGES:
        return None
    message = MESSAGES[code].format_map(error.get("ctx") or {})
    return re.sub(r"\b1 (character|digit|item)s", r"1 \1", message)
