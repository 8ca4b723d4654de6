"""A WebSocket that is closed once its caller may not use it any more."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from .authorization import Authorization
from .background import stop
from .clock import Clock
from .context import Context
from .errors import InternalError, Problem, Unauthorized, Unavailable

logger = logging.getLogger("vinc")
POLICY_VIOLATION, TRY_AGAIN_LATER = 1008, 1013  # RFC 6455, 7.4.1, and IANA's registry of close codes
SECONDS_TO_END = 1.0


def close_code(problem: Problem) -> int:
    return TRY_AGAIN_LATER if isinstance(problem, Unavailable) else POLICY_VIOLATION


class GuardedSocket:
    """`receive` and `send` of one WebSocket. Each message, and a timer in between, asks whether it is authorized."""

    def __init__(
        self, context: Context, authorization: Authorization, clock: Clock, receive: Receive, send: Send
    ) -> None:
        self.context, self.authorization, self.clock = context, authorization, clock
        self.receive_next, self.send_on = receive, send
        self.code = 0  # with which it was closed
        self.is_ending = asyncio.Event()

    async def run(self, inner: ASGIApp, scope: Scope) -> None:
        """Run the application on this socket; once it is closed here, the application is stopped."""
        handler, timer = asyncio.create_task(self.handle(inner, scope)), asyncio.create_task(self.watch())
        handler.add_done_callback(lambda _: self.is_ending.set())
        try:
            await self.is_ending.wait()
            await asyncio.wait({handler}, timeout=SECONDS_TO_END)  # who does not read may not take the close, either
        finally:
            await stop(timer)
            await stop(handler)
        if not handler.cancelled():
            await handler

    async def handle(self, inner: ASGIApp, scope: Scope) -> None:
        try:
            await inner(scope, self.receive, self.send)
        except WebSocketDisconnect:
            if not self.code:
                raise

    async def receive(self) -> Message:
        message = await self.receive_next()
        if self.code or (message["type"] == "websocket.receive" and not await self.is_allowed()):
            return {"type": "websocket.disconnect", "code": self.code}
        return message

    async def send(self, message: Message) -> None:
        if self.code and message["type"] == "websocket.close":
            return
        if not await self.is_allowed():
            raise WebSocketDisconnect(self.code)
        await self.send_on(message)

    async def watch(self) -> None:
        """Close the socket in time when no message comes."""
        while await self.is_allowed():
            seconds = self.authorization.valid_until - monotonic()
            if expires := self.expires:
                seconds = min(seconds, expires - self.clock())
            await asyncio.sleep(max(seconds, 0))

    @property
    def expires(self) -> int:
        return self.context.principal.expires if self.context.principal else 0

    async def is_allowed(self) -> bool:
        """Return whether the socket may be used; close it the first time that it may not."""
        problem = None if self.code else await self.find_refusal()
        if problem is not None:
            self.code = close_code(problem)
            self.is_ending.set()
            with suppress(OSError):  # the client is gone
                await self.send_on({"type": "websocket.close", "code": self.code, "reason": problem.title})
        return not self.code

    async def find_refusal(self) -> Problem | None:
        if self.expires and self.clock() >= self.expires:
            return Unauthorized()
        try:
            await self.authorization.require()
        except Problem as problem:
            return problem
        except Exception:
            logger.exception("whether a WebSocket may be used cannot be told: it is closed")
            return InternalError()
        return None
