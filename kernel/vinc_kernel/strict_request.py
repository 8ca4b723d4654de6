"""Read bodies and query strings strictly: UTF-8, no doubled names, no NaN."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from starlette.requests import Request
from starlette.types import Scope

from .strict_json import parse_json


class StrictRequest(Request):
    """A request whose JSON is read strictly."""

    async def json(self) -> Any:
        return parse_json(await self.body())


def find_address_errors(scope: Scope, repeatable: frozenset[str]) -> list[dict[str, Any]]:
    """Return what is wrong with the path and the query string, in the form of Pydantic's errors."""
    query = scope["query_string"]
    errors: list[dict[str, Any]] = [
        {"type": "encoding", "loc": (name,), "msg": "is not UTF-8"}
        for name, text in (("path", scope.get("raw_path") or b""), ("query", query))
        if not is_utf8(text)
    ]
    doubled = doubled_names(query, repeatable) if query else []
    return errors + [{"type": "doubled", "loc": ("query", name), "msg": "is given more than once"} for name in doubled]


def is_utf8(encoded: bytes) -> bool:
    """Whether a percent-encoded text is UTF-8; the usual decoders write U+FFFD in the place of what is none."""
    if b"%" not in encoded and encoded.isascii():
        return True
    try:
        unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError:
        return False
    return True


def doubled_names(query: bytes, repeatable: frozenset[str]) -> list[str]:
    """The names that a query string gives more than once and that are no lists."""
    if query.count(b"=") < 2 and b"&" not in query:  # noqa: PLR2004  one parameter cannot be doubled
        return []
    times = Counter(name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    return [name for name, count in times.items() if count > 1 and name not in repeatable]
