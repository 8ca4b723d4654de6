"""Bound the body of a request, whoever reads it: its bytes, counted as they arrive, and the time to wait for them."""

from __future__ import annotations

from asyncio import timeout
from time import monotonic

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from ..settings import ServiceSettings

CLOSE = {"Connection": "close"}  # RFC 9110, 15.5.9 and 15.5.14: the rest of the body is not waited for


def bound_body(receive: Receive, settings: ServiceSettings, route_limit: int | None) -> Receive:
    """Refuse a body of more bytes with 413, and one that is waited for too long with 408.

    A route that takes more bytes than usual waits longer in proportion; the time that its handler needs in between does
    not count. Raises HTTPException: FastAPI makes a 400 of every other error while it reads a body.
    """
    limit = settings.max_body_size if route_limit is None else route_limit
    left = settings.body_timeout * max(1.0, limit / settings.max_body_size)
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
            raise HTTPException(408, "The body did not arrive in time.", CLOSE) from None
        left -= monotonic() - started
        received += len(message.get("body", b""))
        if received > limit:
            raise HTTPException(413, f"The body may have {limit} bytes at most.", CLOSE)
        is_complete = not message.get("more_body", False)
        return message

    return receiver
