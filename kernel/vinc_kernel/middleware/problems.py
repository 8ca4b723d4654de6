"""Turn every error into a problem document (RFC 9457) without a value, a stack, a query or an address in it."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Send

from .. import errors
from ..context import Context
from ..errors import Fault, InternalError, Problem, Unprocessable
from ..telemetry import logger
from ..text import escaped
from .messages import known_message

# By status; those below them, as TenantSuspended, say more than the status does.
KINDS: Mapping[int, type[Problem]] = {
    kind.status: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, Problem) and kind.__base__ is Problem
}
Place = Literal["body", "query", "path", "header"]
STATUSES = frozenset(HTTPStatus)
LONGEST_MESSAGE, SHORTEST_SCALAR = 300, 4
MOST_FAULTS, LONGEST_TOKEN, LONGEST_PATH = 100, 100, 1000  # an answer is not for sending a large request back
PLACES: Mapping[str, Place] = {"body": "body", "query": "query", "path": "path", "header": "header", "cookie": "header"}


def to_problem(error: BaseException) -> Problem:
    """Return the problem to send; an unexpected error is logged, and is a 500 that says nothing about it."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return Unprocessable("The request is not valid; see errors.", errors=list(to_faults(error.errors())))
    if isinstance(error, HTTPException):
        if isinstance(error.__cause__, Problem):
            return error.__cause__
        return from_http_exception(error)
    logger.error("a request failed", exc_info=error)
    return InternalError()


def from_http_exception(error: HTTPException) -> Problem:
    detail = error.detail if isinstance(error.detail, str) else ""
    kind = KINDS.get(error.status_code)
    if kind is not None:
        return kind(detail, headers=error.headers)
    problem = Problem(detail, headers=error.headers)
    problem.status = error.status_code
    problem.title = HTTPStatus(error.status_code).phrase if error.status_code in STATUSES else "Refused"
    words = re.findall(r"[a-z]+", problem.title.lower().replace("'", ""))
    problem.type = f"urn:vinc:problem:{'-'.join(words)}"
    return problem


def to_faults(errors: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    """Yield path, code and message of each; never `input` and `ctx`, which hold what the caller sent."""
    errors = errors[:MOST_FAULTS]
    repeating = repeating_messages(errors)
    for error in errors:
        place, *path = error["loc"] or ("body",)
        pointer = "".join(f"/{token(part)}" for part in path)
        pointer = "" if error["type"] == "json_invalid" else pointer  # its location is an offset
        message = message_of(error, repeating)
        yield Fault(place=PLACES.get(str(place), "body"), pointer=pointer, code=str(error["type"]), message=message)


def message_of(error: Mapping[str, Any], repeating: Container[str]) -> str:
    """Return the message of an error, unless it repeats something of the input."""
    if (known := known_message(error)) is not None:
        return known
    text = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "json_invalid":
        return f"is no strict JSON: {escaped(str(error['ctx']['error']))[:LONGEST_MESSAGE]}"  # the parser's own words
    if len(text) > LONGEST_MESSAGE or error["msg"] in repeating:
        return "is not valid"
    return escaped(text)


def repeating_messages(errors: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the messages that repeat something of an input; several errors may have the whole body as theirs."""
    messages = {str(error["msg"]) for error in errors}
    together = "\n".join(messages)
    found = [text for text in scalars(error.get("input") for error in errors) if text in together]
    return {message for message in messages if any(text in message for text in found)}


def scalars(inputs: Iterable[Any]) -> Iterator[str]:
    """Yield the texts and numbers that are long enough to be told from a message's own words, each part once."""
    waiting, seen = list(inputs), set[int]()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, dict):
            waiting += [inner for pair in part.items() for inner in pair]
        elif isinstance(part, list | tuple):
            waiting += part
        elif part is not None and len(text := str(part)) >= SHORTEST_SCALAR:
            yield text


def token(part: object) -> str:
    """Return one reference token of a JSON pointer (RFC 6901, 3)."""
    return escaped(str(part)[:LONGEST_TOKEN]).replace("~", "~0").replace("/", "~1")


def to_document(problem: Problem, context: Context, path: str) -> dict[str, Any]:
    return {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        **({"detail": problem.detail} if problem.detail else {}),
        "instance": escaped(path[:LONGEST_PATH]),
        "request_id": context.request_id,
        **({"errors": [fault.as_json() for fault in problem.errors]} if problem.errors else {}),
    }


async def send_problem(problem: Problem, context: Context, path: str, send: Send) -> None:
    body = json.dumps(to_document(problem, context, path)).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        *(
            (name.lower().encode("latin-1", "replace"), escaped(value).encode("latin-1", "replace"))
            for name, value in problem.headers.items()
        ),
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if context.method == "HEAD" else body})
