"""The way of a request: one ASGI frame that calls the steps, so that nothing is wrapped that nobody asked for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import Any

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from ..context import Context, MembershipDirectory, PrincipalDirectory, TenantDirectory, asking
from ..errors import MethodNotAllowed, NotFound, PluginUnavailable, Problem
from ..guards import Requirement, Rights
from ..routing import Index, Match, method_of, path_of
from ..services import Services
from ..settings import CorsSettings
from .cors import ProblemCors
from .identity import Identity
from .problems import problem_of, send_problem
from .request_id import request_id
from .single_headers import single_headers
from .tenancy import tenancy

SMALLEST_GZIP = 500
no_gzip = re.compile(rb"gzip\s*;\s*q=0(?:\.0*)?\s*(?:,|$)").search
POLICY_VIOLATION = 1008  # RFC 6455, 7.4.1
NOTHING = "There is nothing at this address."
PRIVATE = (b"cache-control", b"private, no-cache")
Log = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What the front needs to know; made once by `create_app`."""

    services: Services
    index: Index
    rights: Rights
    identity: Identity
    tenant_header: str
    cors: CorsSettings
    log: Log | None


class Front:
    """The ASGI application behind the lifespan."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.tenant_header = steps.tenant_header.lower().encode()
        self.single_headers = single_headers(steps.tenant_header)
        self.vary = (b"vary", f"Authorization, {steps.tenant_header}".encode())
        self.gzip: ASGIApp = GZipMiddleware(self.answer, minimum_size=SMALLEST_GZIP)
        self.cors: ASGIApp | None = None
        if steps.cors.origins:
            self.vary = (b"vary", f"Authorization, Origin, {steps.tenant_header}".encode())
            self.cors = ProblemCors(self.compressed, steps.cors, steps.tenant_header)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        headers = scope["headers"]
        context = Context(found=dict(headers), method=method_of(scope), services=self.steps.services)
        scope["vinc"] = context
        token = asking.set(context)
        request_id(context)

        async def sender(message: Message) -> None:
            kind = message["type"]
            if kind == "http.response.start":
                context.status = message["status"]
                message["headers"] = [*message.get("headers", ()), *self.added(message, context)]
            elif kind == "websocket.accept":
                context.status = HTTPStatus.SWITCHING_PROTOCOLS
                message["headers"] = [*message.get("headers", ()), *context.headers]
            elif kind == "websocket.close" and not context.status:
                context.status = HTTPStatus.FORBIDDEN  # what uvicorn makes of a close before the accept
            await send(message)

        try:
            if self.cors is not None and b"origin" in context.found and scope["type"] == "http":
                await self.cors(scope, receive, sender)
            else:
                await self.compressed(scope, receive, sender)
        finally:
            asking.reset(token)
            if self.steps.log is not None:
                self.log(context, started, self.steps.log)

    def added(self, message: Message, context: Context) -> list[tuple[bytes, bytes]]:
        """What every answer carries; a route that says itself how it may be cached is believed."""
        for name, _ in message.get("headers", ()):
            if name == b"cache-control":
                return context.headers
        return [*context.headers, PRIVATE, self.vary]

    async def compressed(self, scope: Scope, receive: Receive, send: Send) -> None:
        context: Context = scope["vinc"]
        if scope["type"] == "http" and takes_gzip(context.found.get(b"accept-encoding", b"")):
            await self.gzip(scope, receive, send)
        else:
            await self.answer(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch, and turn what goes wrong before the first byte into a problem."""
        context: Context = scope["vinc"]
        try:
            await self.dispatch(scope, receive, send)
        except BaseException as error:
            if context.status or is_end_of_task(error):
                raise
            problem = problem_of(error)
            if scope["type"] == "websocket":
                await WebSocketClose(code=POLICY_VIOLATION, reason=problem.title)(scope, receive, send)
            else:
                await send_problem(problem, context, scope["path"], send)

    async def dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        context: Context = scope["vinc"]
        services = self.steps.services
        match = self.steps.index.find(path_of(scope), context.method)
        endpoint = match.endpoint
        if endpoint is not None:
            context.plugin, context.route = endpoint.plugin, endpoint.path
        self.single_headers(context, scope["headers"])
        await self.steps.identity(context, services.find(PrincipalDirectory))
        if endpoint is None:
            raise await self.nothing(context, match)
        requirement = endpoint.requirement
        if requirement.selects:
            await self.select(context, needed=requirement.tenant)
        if endpoint.plugin in context.absent:
            raise NotFound(NOTHING)
        state = services.states.get(endpoint.plugin)
        if state is not None and state.state != "ready":
            message = f"The plugin {endpoint.plugin} is out of service in this worker."
            raise PluginUnavailable(message)
        await self.authorise(requirement, context)
        state_of_request = scope.setdefault("state", {})
        state_of_request["tenant_id"] = state_of_request["active_wholesaler_id"] = context.tenant_id
        scope["path_params"], scope["route"], scope["endpoint"] = match.params, endpoint.route, endpoint.function
        await endpoint.app(scope, receive, send)

    async def authorise(self, requirement: Requirement, context: Context) -> None:
        """Return when the caller may; raises Unauthorized, BadRequest or Forbidden."""
        steps = self.steps
        await steps.rights.authorise(requirement, context, steps.services.find(MembershipDirectory))

    async def select(self, context: Context, *, needed: bool) -> None:
        """Find out which tenant the caller works in."""
        steps = self.steps
        platform = context.principal is not None and steps.rights.is_platform(context.principal)
        directory = steps.services.find(TenantDirectory)
        await tenancy(context, self.tenant_header, directory, needed=needed, platform=platform)

    async def nothing(self, context: Context, match: Match) -> Problem:
        """What to say where no route answers; of plugins that the caller's tenant has not, nothing at all."""
        if any(one.requirement.selects for one in match.others):
            await self.select(context, needed=False)
        if allowed := match.allowed(context.absent):
            return MethodNotAllowed(headers={"Allow": ", ".join(sorted(allowed))})
        return NotFound(NOTHING)

    @staticmethod
    def log(context: Context, started: float, log: Log) -> None:
        log(
            "request",
            method=context.method,
            route=context.route or "(none)",
            status=int(context.status) or 500,
            ms=round((perf_counter() - started) * 1000, 2),
            request_id=context.request_id,
            tenant=str(context.tenant_id) if context.tenant else "vinc",
            plugin=context.plugin or "kernel",
        )


def is_end_of_task(error: BaseException) -> bool:
    """Whether the server cancels this request; a handler may raise CancelledError, or SystemExit, of its own."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError | GeneratorExit) and (task is None or task.cancelling() > 0)


def takes_gzip(accepted: bytes) -> bool:
    """Whether an Accept-Encoding has gzip in it, and not with a weight of nought (RFC 9110, 12.5.3)."""
    return b"gzip" in accepted and no_gzip(accepted) is None
