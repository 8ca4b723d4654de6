"""Turn every error into a problem document (RFC 9457); none carries a value back, a stack, a query or an address."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Send

from ..context import Context
from ..errors import (
    BadRequest,
    Conflict,
    ContentTooLarge,
    Fault,
    Forbidden,
    InternalError,
    MethodNotAllowed,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    Problem,
    Unauthorized,
    Unavailable,
    Unprocessable,
    UnsupportedMediaType,
)
from ..telemetry import logger
from ..text import escaped

KINDS: Mapping[int, type[Problem]] = {
    kind.status: kind
    for kind in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        Conflict,
        PreconditionFailed,
        ContentTooLarge,
        UnsupportedMediaType,
        Unprocessable,
        PreconditionRequired,
        InternalError,
        Unavailable,
    )
}
Place = Literal["body", "query", "path", "header"]
LONGEST_MESSAGE, SHORTEST_SCALAR = 300, 4
MOST_FAULTS, LONGEST_TOKEN, LONGEST_PATH = 50, 100, 1000  # an answer is not for sending a large request back
PLACES: Mapping[str, Place] = {"body": "body", "query": "query", "path": "path", "header": "header", "cookie": "header"}


def problem_of(error: BaseException) -> Problem:
    """The problem to answer with; what nobody foresaw is logged, and answered as 500 without a word about it."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return Unprocessable("The request is not valid; see errors.", errors=list(faults(error.errors())))
    if isinstance(error, HTTPException):
        return of_http_exception(error)
    logger.error("a request failed", exc_info=error)
    return InternalError()


def of_http_exception(error: HTTPException) -> Problem:
    detail = error.detail if isinstance(error.detail, str) else ""
    kind = KINDS.get(error.status_code)
    if kind is not None:
        return kind(detail, headers=error.headers)
    made = Problem(detail, headers=error.headers)
    made.status = error.status_code
    made.title = phrase(error.status_code)
    words = re.findall(r"[a-z]+", made.title.lower().replace("'", ""))
    made.type = f"urn:vinc:problem:{'-'.join(words)}"
    return made


def phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"


def faults(errors: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    """Path, code and message of each; never `input` and `ctx`, which carry the caller's values back."""
    for error in errors[:MOST_FAULTS]:
        place, *path = error["loc"] or ("body",)
        pointer = "".join(f"/{token(part)}" for part in path)
        pointer = "" if error["type"] == "json_invalid" else pointer  # what stands there is an offset
        yield Fault(
            place=PLACES.get(str(place), "body"), pointer=pointer, code=str(error["type"]), message=message_of(error)
        )


def message_of(error: Mapping[str, Any]) -> str:
    """The text of an error, unless something of the input stands in it."""
    text = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "json_invalid":
        return f"is no strict JSON: {printable(str(error['ctx']['error']))[:LONGEST_MESSAGE]}"  # the parser's own words
    if len(text) > LONGEST_MESSAGE or any(scalar in text for scalar in scalars(error.get("input"))):
        return "is not valid"
    return printable(text)


def scalars(value: Any) -> Iterator[str]:
    """The texts and numbers in an input that are long enough to be told from our own words."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += [inner for pair in part.items() for inner in pair]
        elif isinstance(part, list | tuple):
            waiting += part
        elif part is not None and len(text := str(part)) >= SHORTEST_SCALAR:
            yield text


def token(part: object) -> str:
    """One reference token of a JSON pointer (RFC 6901, 3)."""
    return printable(str(part)[:LONGEST_TOKEN]).replace("~", "~0").replace("/", "~1")


def printable(text: str) -> str:
    return escaped(text.encode("utf-8", "backslashreplace").decode())


def document(problem: Problem, context: Context, path: str) -> dict[str, Any]:
    made: dict[str, Any] = {"type": problem.type, "title": problem.title, "status": problem.status}
    if problem.detail:
        made["detail"] = problem.detail
    made["instance"] = printable(path[:LONGEST_PATH])
    made["request_id"] = context.request_id
    if problem.errors:
        made["errors"] = [fault.as_json() for fault in problem.errors]
    return made


async def send_problem(problem: Problem, context: Context, path: str, send: Send) -> None:
    body = json.dumps(document(problem, context, path)).encode()
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
