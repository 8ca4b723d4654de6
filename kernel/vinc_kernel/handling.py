"""The frame around one endpoint: FastAPI's own handler, then the commit, then the first byte of the response."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .authorization import Authorization, require_with_body, require_with_chunks
from .conditional import apply_if_none_match
from .context import Context
from .errors import UnsupportedMediaType
from .fastapi_adapter import Handler, query_parameters, request_handler, set_exit_stacks, takes_json
from .guarded_socket import GuardedSocket
from .strict_json import MOST_VALUES
from .strict_request import StrictRequest, find_address_errors

JSON_TYPE = re.compile(rb"application/(?:[\w.-]+\+)?json[ \t]*(?:;.*)?", re.IGNORECASE).fullmatch  # RFC 6839, 3.1
BYTES_OF_A_VALUE = 100  # a route that takes more bytes takes more values


def handle_http(route: APIRoute) -> ASGIApp:
    """Return an ASGI application that runs the route's handler in the request's unit of work.

    FastAPI runs what follows a dependency's `yield` after the response is sent: a commit there could fail behind a 201.
    """
    handler = request_handler(route)
    repeatable = frozenset(name for name, may_repeat in query_parameters(route) if may_repeat)
    needs_json = takes_json(route)
    most_values = max(MOST_VALUES, (route.max_body_size or 0) // BYTES_OF_A_VALUE)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        context: Context = scope["vinc"]
        if needs_json and has_body(context) and not JSON_TYPE(context.header(b"content-type") or b""):
            raise UnsupportedMediaType("Send JSON, and say so: Content-Type: application/json.")
        if errors := find_address_errors(scope, repeatable):
            raise RequestValidationError(errors)
        if context.method == "HEAD":
            send = without_body(send)
        authorization: Authorization = scope["vinc.authorization"]
        if has_body(context):
            receive = require_with_body(receive, authorization)
        request = StrictRequest(scope, receive, send)
        request.most_values = most_values
        async with AsyncExitStack() as stack:
            response = await run_handler(handler, request, context, stack)
            if not hasattr(response, "body"):  # it is made while it is sent
                send = require_with_chunks(send, authorization, context)
            await apply_if_none_match(request, response)(scope, receive, send)

    return app


async def run_handler(
    handler: Handler, request: StrictRequest, context: Context, request_stack: AsyncExitStack
) -> Response:
    """Run the handler and end its transaction; return its response."""
    try:
        async with AsyncExitStack() as function_stack:
            set_exit_stacks(request.scope, request_stack, function_stack)
            response = await handler(request)
        await end_transaction(context, response.status_code)
    finally:
        if context.unit is not None:
            await context.unit.close()
    return response


async def end_transaction(context: Context, status: int) -> None:
    """Commit what the request did in the database; roll it back when the response is an error."""
    if context.unit is not None:
        await (context.unit.commit() if status < 400 else context.unit.end())  # noqa: PLR2004  RFC 9110, 15.5


def has_body(context: Context) -> bool:
    """Return whether the request has content, of whatever length (RFC 9112, 6)."""
    return context.header(b"content-length") not in {None, b"0"} or context.header(b"transfer-encoding") is not None


def handle_other(inner: ASGIApp) -> ASGIApp:
    """Return an ASGI application around a WebSocket, a mount or a plain route.

    Its transaction ends before the first byte of a response, and with the end of a WebSocket.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        context: Context = scope["vinc"]
        async with AsyncExitStack() as stack:
            set_exit_stacks(scope, stack, stack)
            try:
                authorization: Authorization = scope["vinc.authorization"]
                if scope["type"] == "websocket":
                    clock = scope["vinc.runtime"].clock
                    await GuardedSocket(context, authorization, clock, receive, send).run(inner, scope)
                else:
                    receive = require_with_body(receive, authorization)
                    send = require_with_chunks(send, authorization, context)
                    held: list[Message] = []
                    await inner(scope, receive, end_transaction_first(context, send, held))
                    for message in held:
                        await send(message)
                if context.unit is not None:
                    await context.unit.commit()
            finally:
                if context.unit is not None:
                    await context.unit.close()

    return app


def end_transaction_first(context: Context, send: Send, held: list[Message]) -> Send:
    """End the transaction when a response begins.

    One of status 500 is `held`: a mounted application sends it before it raises the error, which may be a problem.
    """

    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            await end_transaction(context, message["status"])
        if held or message.get("status") == HTTPStatus.INTERNAL_SERVER_ERROR:
            held.append(message)
        else:
            await send(message)

    return sender


def without_body(send: Send) -> Send:
    """Send a response to HEAD: the headers of GET and no content (RFC 9110, 9.3.2)."""

    async def sender(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return sender
