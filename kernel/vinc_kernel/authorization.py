"""An authorization is good for one second: what comes later asks again, from the caches as a rule.

While a body arrives, or between two messages of a WebSocket, a principal may be disabled, a tenant suspended or a role
taken away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Send

from .context import Context
from .errors import Problem

SECONDS_VALID = 1.0


class Authorization:
    """The permission of one request. `ask` raises a Problem, or returns when what it knows was current."""

    __slots__ = ("ask", "asked_at")

    def __init__(self, ask: Callable[[], Awaitable[float]], asked_at: float) -> None:
        self.ask, self.asked_at = ask, asked_at

    @property
    def valid_until(self) -> float:
        """On the clock of `monotonic`."""
        return self.asked_at + SECONDS_VALID

    async def require(self) -> None:
        """Ask again if the last answer is a second old; raises the Problem that the request would begin with."""
        if monotonic() >= self.valid_until:
            self.asked_at = await self.ask()


def require_with_body(receive: Receive, authorization: Authorization) -> Receive:
    """Hand over a body only as long as the request is authorized.

    Raises HTTPException: FastAPI makes a 400 of every other error while it reads a body.
    """

    async def receiver() -> Message:
        message = await receive()
        if message["type"] == "http.request":
            try:
                await authorization.require()
            except Problem as problem:
                raise HTTPException(problem.status, problem.detail, problem.headers) from problem
        return message

    return receiver


def require_with_chunks(send: Send, authorization: Authorization, context: Context) -> Send:
    """Send each part of a body, where it has several, only as long as the request is authorized.

    After a session the response begins with its first part: using the session once it has ended is a problem, then.
    """
    held: list[Message] = []
    is_whole = True

    async def sender(message: Message) -> None:
        nonlocal is_whole
        if message["type"] == "http.response.start" and context.unit is not None:
            held.append(message)
            return
        if message["type"] == "http.response.body":
            is_whole = is_whole and not message.get("more_body", False)
            if not is_whole:
                await authorization.require()
        while held:
            await send(held.pop())
        await send(message)

    return sender
