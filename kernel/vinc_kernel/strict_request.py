"""Read bodies and addresses strictly: UTF-8, no doubled names, no NaN, and no more than is needed."""

from __future__ import annotations

from asyncio import timeout
from collections import Counter
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from .errors import BadRequest, UriTooLong
from .strict_json import MOST_VALUES, parse_json

LONGEST_PATH, MOST_SEGMENTS = 2048, 100
LONGEST_QUERY, MOST_PARAMETERS = 16_384, 500
CLOSE = {"Connection": "close"}  # RFC 9110, 15.5.9 and 15.5.14: the rest of the body is not waited for


class StrictRequest(Request):
    """A request whose JSON is read strictly."""

    most_values = MOST_VALUES

    async def json(self) -> Any:
        return parse_json(await self.body(), most=self.most_values)


def refuse_long_address(scope: Scope) -> None:
    """Raise UriTooLong or BadRequest: strangers decide how much is looked at before a guard."""
    path, query = scope["path"], scope["query_string"]
    if len(path) > LONGEST_PATH or path.count("/") > MOST_SEGMENTS or len(query) > LONGEST_QUERY:
        path_limit = f"{LONGEST_PATH} characters and {MOST_SEGMENTS} segments"
        raise UriTooLong(f"The path may have {path_limit} at most, the query {LONGEST_QUERY} bytes.")
    if query.count(b"&") >= MOST_PARAMETERS:
        raise BadRequest(f"The query may have {MOST_PARAMETERS} parameters at most.")


def bound_body(receive: Receive, usual_limit: int, seconds: float, route_limit: int | None = None) -> Receive:
    """Refuse a body of more bytes with 413, and one that is waited for too long with 408.

    A route that takes more bytes than usual waits longer in proportion; the time that its handler needs in between does
    not count. Raises HTTPException: FastAPI makes a 400 of every other error while it reads a body.
    """
    limit = usual_limit if route_limit is None else route_limit
    left = seconds * max(1.0, limit / usual_limit)
    received, is_complete = 0, False

    async def receiver() -> Message:
        nonlocal left, received, is_complete
        if is_complete:  # the next message is that the client is gone, for which a stream may wait long
            return await receive()
        started = monotonic()
        try:
            async with timeout(left):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, "Send it faster, or in parts.", CLOSE) from None
        left -= monotonic() - started
        received += len(message.get("body", b""))
        if received > limit:
            raise HTTPException(413, f"The body may have {limit} bytes at most.", CLOSE)
        is_complete = not message.get("more_body", False)
        return message

    return receiver


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
