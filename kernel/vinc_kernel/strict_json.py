"""Read JSON strictly: UTF-8, no doubled names, no NaN, no half surrogate pairs, bounded depth.

The standard parser is lenient: of a doubled name the last one wins, NaN passes, UTF-16 is guessed (RFC 8259, 4 and 8.1
leave the first open and forbid the last).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

DEEPEST = 64
CONTAINERS = (dict, list)
NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def parse_json(body: bytes, deepest: int = DEEPEST) -> Any:
    """The value of a JSON text; raises json.JSONDecodeError where it is not strict JSON (RFC 8259), or too deep."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise json.JSONDecodeError("it is not UTF-8", "", error.start) from None
    try:
        value = decoder.decode(text)
        if b"\\u" in body:
            refuse_surrogates(value)
        if may_be_deeper(body, deepest):
            refuse_depth(value, deepest)
    except RecursionError:
        raise json.JSONDecodeError("it is nested too deep", "", 0) from None
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        raise json.JSONDecodeError(str(error), "", 0) from None
    return value


def refuse_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        message = "a text has half of a surrogate pair"
        raise ValueError(message) from None


def may_be_deeper(body: bytes, deepest: int) -> bool:
    """Whether brackets are left when the innermost are taken out so often; brackets in texts may deceive it."""
    brackets = body.translate(None, NO_BRACKETS)
    for _ in range(deepest):
        if not brackets:
            return False
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    return bool(brackets)


def refuse_depth(value: Any, deepest: int) -> None:
    level = [value] if isinstance(value, CONTAINERS) else []
    for _ in range(deepest):
        level = [inner for part in level for inner in inside(part) if isinstance(inner, CONTAINERS)]
        if not level:
            return
    message = f"it is nested more than {deepest} levels deep"
    raise ValueError(message)


def inside(part: Any) -> Iterable[Any]:
    return part.values() if isinstance(part, dict) else part


def finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        message = "a number is out of range"
        raise ValueError(message)
    return value


def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        message = "an object has two members of one name"
        raise ValueError(message)
    return made


def refuse_constant(_: str) -> Any:
    message = "NaN and Infinity are no JSON"
    raise ValueError(message)


decoder = json.JSONDecoder(object_pairs_hook=members, parse_constant=refuse_constant, parse_float=finite)
