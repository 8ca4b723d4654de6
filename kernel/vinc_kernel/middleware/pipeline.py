"""The request pipeline: one ASGI application that calls the steps."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from secrets import token_hex
from time import perf_counter

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from ..authorization import Authorization
from ..context import Context, PrincipalDirectory, TenantDirectory, current
from ..endpoints import Endpoint
from ..errors import Forbidden, MethodNotAllowed, NotFound, PluginUnavailable, Problem
from ..guarded_socket import close_code
from ..routing import Index, Match, method_of, path_of
from ..runtime import KERNEL, Runtime
from ..static_content import accepts_gzip
from ..strict_request import bound_body, refuse_long_address
from ..telemetry import request_log
from .cors import ProblemCors
from .identity import Identity
from .problems import send_problem, to_problem
from .single_headers import single_headers
from .tenancy import tenancy

logger = logging.getLogger("vinc.requests")
SMALLEST_GZIP, GZIP_LEVEL = 500, 4  # level 9 takes four times as long for 5% less
well_formed_id = re.compile(rb"[A-Za-z0-9._-]{1,64}").fullmatch  # `$` would let a newline through
NOTHING = "There is nothing at this address."
PRIVATE = (b"cache-control", b"private, no-cache")


class Pipeline:
    """The ASGI application of every request."""

    def __init__(self, runtime: Runtime, index: Index) -> None:
        self.runtime, self.index = runtime, index
        self.kernel_app = runtime.apps[KERNEL]
        self.identity = Identity(runtime.trusted, runtime.permissions, runtime.clock)
        self.log_request = request_log(runtime.settings.log)
        header, cors = runtime.settings.service.tenant_header, runtime.settings.cors
        self.tenant_header = header.lower().encode()
        self.vary = (b"vary", f"Authorization, {header}".encode())
        self.gzip: ASGIApp = GZipMiddleware(self.handle_errors, minimum_size=SMALLEST_GZIP, compresslevel=GZIP_LEVEL)
        self.cors: ASGIApp | None = None
        if cors.origins:
            self.vary = (b"vary", f"Authorization, Origin, {header}".encode())
            self.cors = ProblemCors(self.compress, cors, header)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        context = Context(app=self.kernel_app, request_headers=dict(scope["headers"]), method=method_of(scope))
        scope["vinc"], scope["vinc.runtime"] = context, self.runtime
        token = current.set(context)
        header = context.header(b"x-request-id")
        context.request_id = header.decode() if header and well_formed_id(header) else token_hex(16)
        context.response_headers.append((b"x-request-id", context.request_id.encode()))

        async def send_with_headers(message: Message) -> None:
            kind = message["type"]
            if kind == "http.response.start":
                context.status = message["status"]
                message["headers"] = [*message.get("headers", ()), *self.added_headers(message, context)]
            elif kind == "websocket.accept":
                context.status = HTTPStatus.SWITCHING_PROTOCOLS
                message["headers"] = [*message.get("headers", ()), *context.response_headers]
            elif kind == "websocket.close" and not context.status:
                context.status = HTTPStatus.FORBIDDEN  # what uvicorn makes of a close before the accept
            await send(message)

        try:
            if self.cors is not None and b"origin" in context.request_headers and scope["type"] == "http":
                await self.cors(scope, receive, send_with_headers)
            else:
                await self.compress(scope, receive, send_with_headers)
        finally:
            current.reset(token)
            self.log(context, started)

    def added_headers(self, message: Message, context: Context) -> list[tuple[bytes, bytes]]:
        """Return what every response carries; a route that sets Cache-Control itself decides that alone."""
        for name, _ in message.get("headers", ()):
            if name == b"cache-control":
                return context.response_headers
        return [*context.response_headers, PRIVATE, self.vary]

    async def compress(self, scope: Scope, receive: Receive, send: Send) -> None:
        context: Context = scope["vinc"]
        if scope["type"] == "http" and accepts_gzip(context.request_headers.get(b"accept-encoding", b"")):
            await self.gzip(scope, receive, send)
        else:
            await self.handle_errors(scope, receive, send)

    async def handle_errors(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch, and turn what fails before the first byte into a problem."""
        context: Context = scope["vinc"]
        try:
            await self.dispatch(scope, receive, send)
        except BaseException as error:
            if context.status and scope["type"] == "http" and isinstance(error, Problem):
                # Returning makes the server close the connection in the middle of the response.
                logger.warning("response cut short: %s", error)
                return
            if context.status or is_end_of_task(error):
                raise
            problem = to_problem(error)
            if scope["type"] == "websocket":
                await WebSocketClose(code=close_code(problem), reason=problem.title)(scope, receive, send)
            else:
                await send_problem(problem, context, scope["path"], send)

    async def dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        context: Context = scope["vinc"]
        runtime = self.runtime
        refuse_long_address(scope)
        match = self.index.find(path_of(scope), context.method)
        endpoint = match.endpoint
        if endpoint is not None:
            context.app, context.route = runtime.apps[endpoint.plugin], endpoint.path
        single_headers(context, scope["headers"], self.tenant_header)
        if endpoint is None:
            await self.identity(context, runtime.registry.find(PrincipalDirectory))
            raise await self.no_endpoint(context, match)
        asked_at = await self.authorize(context, endpoint)
        scope["vinc.authorization"] = Authorization(partial(self.authorize_again, context, endpoint), asked_at)
        request_state = scope.setdefault("state", {})
        request_state["tenant_id"] = request_state["active_wholesaler_id"] = context.tenant_id
        scope["path_params"], scope["route"], scope["endpoint"] = match.params, endpoint.route, endpoint.function
        if scope["type"] == "http":
            service = runtime.settings.service
            receive = bound_body(receive, service.max_body_size, service.body_timeout, endpoint.max_body_size)
        await endpoint.app(scope, receive, send)

    async def authorize(self, context: Context, endpoint: Endpoint) -> float:
        """Set principal and tenant; return as of when they are. Raises a Problem for who may not use the endpoint."""
        runtime, requirement = self.runtime, endpoint.requirement
        asked_at = runtime.caches.current_since()
        await self.identity(context, runtime.registry.find(PrincipalDirectory))
        if requirement.selects_tenant:
            await self.select_tenant(context, needed=requirement.tenant or requirement.tenant_or_platform)
        if endpoint.plugin in context.disabled_plugins:
            raise NotFound(NOTHING)
        await runtime.authorize(requirement, context)
        state = runtime.registry.states.get(endpoint.plugin)
        if state is not None and not state.is_ready:
            raise PluginUnavailable(f"The plugin {endpoint.plugin} is out of service in this worker.")
        return min(asked_at, runtime.caches.current_since())  # a poll that began before may have ended meanwhile

    async def authorize_again(self, context: Context, endpoint: Endpoint) -> float:
        """Authorize a request once more, in the tenant that it began in."""
        fresh = replace(context, principal=None, tenant=None, tenant_refusal=None, disabled_plugins=frozenset())
        asked_at = await self.authorize(fresh, endpoint)
        if (fresh.tenant and fresh.tenant.id) != (context.tenant and context.tenant.id):
            raise Forbidden("You cannot work in the tenant of this request any more.")
        context.principal, context.tenant = fresh.principal, fresh.tenant
        return asked_at

    async def select_tenant(self, context: Context, *, needed: bool) -> None:
        directory = self.runtime.registry.find(TenantDirectory)
        platform = self.runtime.permissions.is_platform(context.principal)
        await tenancy(context, self.tenant_header, directory, needed=needed, platform=platform)

    async def no_endpoint(self, context: Context, match: Match) -> Problem:
        """Return the problem where no route matches; plugins that are disabled for the caller's tenant don't count."""
        if any(one.requirement.selects_tenant for one in match.others):
            await self.select_tenant(context, needed=False)
        if allowed := match.allowed(context.disabled_plugins):
            return MethodNotAllowed(headers={"Allow": ", ".join(sorted(allowed))})
        return NotFound(NOTHING)

    def log(self, context: Context, started: float) -> None:
        if self.log_request is None:
            return
        self.log_request(
            "request",
            method=context.method,
            route=context.route or "(none)",
            status=int(context.status) or 500,
            ms=round((perf_counter() - started) * 1000, 2),
            request_id=context.request_id,
            tenant=str(context.tenant_id) if context.tenant else "vinc",
            plugin=context.app.plugin,
        )


def is_end_of_task(error: BaseException) -> bool:
    """Return whether the server cancels this request; a handler may raise CancelledError itself."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError | GeneratorExit) and (task is None or task.cancelling() > 0)
