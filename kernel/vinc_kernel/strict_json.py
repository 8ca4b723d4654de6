"""Read JSON strictly: UTF-8, no doubled names, no NaN, no lone surrogates, bounded depth and number of values.

The standard parser is lenient: of a doubled name the last one wins, NaN passes, UTF-16 is guessed (RFC 8259, 4 and 8.1
leave the first open and forbid the last).
"""

from __future__ import annotations

import json
import math
import re
from functools import partial
from typing import Any

from .scalars import JsonNumber

DEEPEST = 64
MOST_VALUES = 10_000
CONTAINERS = (dict, list)
# The last quote may be missing: what is no text would be searched again from each escaped quote.
leave_out_texts = partial(re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL).sub, b"")


def parse_json(body: bytes, deepest: int = DEEPEST, most: int = MOST_VALUES) -> Any:
    """Return the value of a JSON text; raises json.JSONDecodeError for a lenient (RFC 8259), deep or large one."""
    if count_values(body) > most and count_values(leave_out_texts(body)) > most:  # most bodies are small anyway
        raise json.JSONDecodeError(f"it has more than {most} values", "", 0)
    try:
        value = decoder.decode(body.decode())
        if b"\\u" in body:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError:
        raise
    except UnicodeDecodeError as error:
        raise json.JSONDecodeError("it is not UTF-8", "", error.start) from None
    except UnicodeEncodeError:
        raise json.JSONDecodeError("a text has half of a surrogate pair", "", 0) from None
    except RecursionError:
        raise json.JSONDecodeError("it is nested too deep", "", 0) from None
    except ValueError as error:
        raise json.JSONDecodeError(str(error), "", 0) from None
    brackets = body.count(b"{") + body.count(b"[")  # most bodies have too few to be deep
    if brackets > deepest and is_deeper(value, deepest):
        raise json.JSONDecodeError(f"it is nested more than {deepest} levels deep", "", 0)
    return value


def count_values(body: bytes) -> int:
    """Return how many values a JSON text has at most: each follows a comma or an opening bracket."""
    return 1 + body.count(b",") + body.count(b"[") + body.count(b"{")


def is_deeper(value: Any, levels: int) -> bool:
    level = [value]
    for _ in range(levels + 1):
        containers = [part for part in level if isinstance(part, CONTAINERS)]
        if not containers:
            return False
        level = [inner for part in containers for inner in (part.values() if isinstance(part, dict) else part)]
    return True


def finite(text: str) -> JsonNumber:
    number = JsonNumber(text)
    if math.isinf(number):
        raise ValueError("a number is out of range")
    number.text = text
    return number


def unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has two members of one name")
    return members


def refuse_constant(_: str) -> Any:
    raise ValueError("NaN and Infinity are no JSON")


decoder = json.JSONDecoder(object_pairs_hook=unique_members, parse_constant=refuse_constant, parse_float=finite)
