"""The frame around one endpoint: FastAPI's own handler, then the commit, then the first byte of the answer."""

from __future__ import annotations

import copy
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.params import Form
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .context import Context
from .errors import UnsupportedMediaType
from .rest.etags import unless_seen
from .rest.listing import reading_themselves
from .rest.strict import StrictRequest, errors_of_address

JSON_TYPE = re.compile(rb"application/(?:[\w.-]+\+)?json[ \t]*(?:;.*)?", re.IGNORECASE).fullmatch  # RFC 6839, 3.1
Handler = Callable[[Request], Awaitable[Response]]


def handle_http(route: APIRoute) -> ASGIApp:
    """An ASGI application that runs the route's handler in the request's unit of work.

    What FastAPI runs after `yield` comes when the answer is out, so a commit there could fail behind a 201.
    """
    lean = copy.copy(route)
    lean.dependant = reading_themselves(route.dependant)
    handler = lean.get_route_handler()
    repeatable = repeatable_names(route)
    takes_json = route.body_field is not None and not isinstance(route.body_field.field_info, Form)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        context: Context = scope["vinc"]
        if takes_json and has_body(context) and not JSON_TYPE(context.header(b"content-type") or b""):
            raise UnsupportedMediaType("Send JSON, and say so: Content-Type: application/json.")
        if errors := errors_of_address(scope, repeatable):
            raise RequestValidationError(errors)
        if context.method == "HEAD":
            send = without_body(send)
        request = StrictRequest(scope, receive, send)
        async with AsyncExitStack() as stack:
            scope["fastapi_middleware_astack"] = scope["fastapi_inner_astack"] = stack
            response = await answer(handler, request, context)
            await unless_seen(request, response)(scope, receive, send)

    return app


async def answer(handler: Handler, request: StrictRequest, context: Context) -> Response:
    """What the handler answers, once what it did in the database is settled."""
    try:
        async with AsyncExitStack() as stack:
            request.scope["fastapi_function_astack"] = stack
            response = await handler(request)
        await settle(context, response.status_code)
    finally:
        if context.unit is not None:
            await context.unit.close()
    return response


async def settle(context: Context, status: int) -> None:
    """Make what the request did in the database last; undo it where the answer says that it failed."""
    if context.unit is not None:
        await (context.unit.commit() if status < 400 else context.unit.rollback())  # noqa: PLR2004  RFC 9110, 15.5


def has_body(context: Context) -> bool:
    """Whether the request has content, of whatever length (RFC 9112, 6)."""
    return context.header(b"content-length") not in {None, b"0"} or context.header(b"transfer-encoding") is not None


def handle_other(inner: ASGIApp, mount: Mount | None = None) -> ASGIApp:
    """An ASGI application around a WebSocket, a mount or a plain route.

    A session that it used is settled before the first byte of an answer, and with the end of a WebSocket.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        context: Context = scope["vinc"]
        if mount is not None:
            scope.update(mount.matches(scope)[1])
        async with AsyncExitStack() as stack:
            scope["fastapi_middleware_astack"] = scope["fastapi_inner_astack"] = stack
            scope["fastapi_function_astack"] = stack
            try:
                held: list[Message] = []
                await inner(scope, receive, settling(context, send, held) if scope["type"] == "http" else send)
                for message in held:
                    await send(message)
                if context.unit is not None:
                    await context.unit.commit()
            finally:
                if context.unit is not None:
                    await context.unit.close()

    return app


def settling(context: Context, send: Send, held: list[Message]) -> Send:
    """Settle the session when an answer begins.

    One of 500 is `held`: a mounted application writes it before it raises what has happened, and that may be a problem.
    """

    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            await settle(context, message["status"])
        if held or message.get("status") == HTTPStatus.INTERNAL_SERVER_ERROR:
            held.append(message)
        else:
            await send(message)

    return sender


def repeatable_names(route: APIRoute) -> frozenset[str]:
    """The query parameters that are lists, and so may be given more than once."""
    return frozenset(name for field in query_fields(route.dependant) for name in lists_in(field))


def query_fields(dependant: Dependant) -> Iterator[Any]:
    yield from dependant.query_params
    for child in dependant.dependencies:
        yield from query_fields(child)


def lists_in(field: Any) -> set[str]:
    annotation = field.field_info.annotation
    members = getattr(annotation, "model_fields", None)
    if members:  # a model of query parameters: `filter: Annotated[Filter, Query()]`
        return {info.alias or name for name, info in members.items() if is_list(info.annotation)}
    return {field.alias} if is_list(annotation) else set()


def is_list(annotation: Any) -> bool:
    found = getattr(annotation, "__origin__", annotation)
    if found in (list, tuple, set, frozenset):
        return True
    return any(is_list(part) for part in getattr(annotation, "__args__", ()) if part is not type(None))


def without_body(send: Send) -> Send:
    """RFC 9110, 9.3.2: the answer to HEAD has the headers of GET and no content."""

    async def sender(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return sender
