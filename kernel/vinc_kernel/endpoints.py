"""Make the endpoints of a plugin out of its routers; the routers themselves are left as they were."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp

from .annotations import classes_of, unbounded_lists
from .context import Context, Principal, Tenant
from .dependencies import Injected
from .errors import StartError
from .fastapi_adapter import DeclaredRoute, compile_pattern, declared_routes, has_frontend, move_api_route, route_app
from .guards import Guard
from .handling import handle_http, handle_other
from .permissions import Requirement
from .sessions import SESSIONS, TENANT_SCOPED, PlatformSession, TenantOrPlatformSession
from .tenant_settings import TenantSettings

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SET_BY_KERNEL = (Context, Principal, Tenant)
WEBSOCKET = "(websocket)"  # in the place of a method, and no token that HTTP would let through (RFC 9110, 5.6.2)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Endpoint:
    """One route of one plugin at its final path."""

    plugin: str
    path: str
    methods: frozenset[str]
    route: BaseRoute
    function: Any
    requirement: Requirement
    app: ASGIApp
    max_body_size: int | None = None

    @property
    def where(self) -> str:
        return line_of(self.function)

    @property
    def path_format(self) -> str:
        """The path as OpenAPI writes it, without converters."""
        return re.sub(r"{([^}:]+):[^}]+}", r"{\1}", self.path)

    @property
    def shape(self) -> str:
        """The path without the names of its parameters: two of one shape would get the same requests."""
        return re.sub(r"{[^}:]+(:[^}]+)?}", r"{\1}", self.path).replace("{:str}", "{}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteLocation:
    """Where a plugin's routes go: below `prefix`, and there below `/<plugin>` or a prefix that plugins.toml grants.

    `overrides` is the application, for FastAPI's `dependency_overrides`; `where` is the line of the contribution.
    """

    plugin: str
    prefix: str
    granted: tuple[str, ...] = ()
    overrides: Any = None
    where: str = ""

    @property
    def roots(self) -> tuple[str, ...]:
        return (f"/{self.plugin}", *self.granted)


def line_of(function: Any) -> str:
    """Return `file:line` of a function, through its decorators, of a class, or of the class of a callable object."""
    function = inspect.unwrap(getattr(function, "func", function))
    if isinstance(function, type):
        return class_line(function)
    code = getattr(function, "__code__", None) or getattr(getattr(type(function), "__call__", None), "__code__", None)  # noqa: B004  its code is needed, not whether it is callable
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(type(function).__name__)


def class_line(cls: type) -> str:
    """Return `file:line` of a class, or its module when it has no source."""
    try:
        return f"{inspect.getsourcefile(cls)}:{inspect.findsource(cls)[1] + 1}"
    except (OSError, TypeError):
        return cls.__module__


def make_endpoints(location: RouteLocation, routers: Iterable[APIRouter]) -> Iterator[Endpoint]:
    """Yield the endpoints of these routers; raises StartError for a route that does not say what it needs."""
    for router in routers:
        if has_frontend(router):
            what = "a frontend is a kind of route that is not known here"
            raise check_error(location, what, None, "mount StaticFiles")
        for declared in declared_routes(router):
            yield make_endpoint(location, declared)


def make_endpoint(location: RouteLocation, declared: DeclaredRoute) -> Endpoint:
    route, function = declared.route, declared.endpoint
    if not isinstance(route, Mount | Route | WebSocketRoute):
        what = f"{declared.path or type(route).__name__} is a kind of route that is not known here"
        raise check_error(location, what, function)
    if declared.is_hidden:
        what = f"the route {declared.path} is a plain one inside an included router"
        raise check_error(location, what, function, "add it to the router that is contributed")
    requirement = build_requirement(location, declared)
    refuse_unbounded_lists(location, declared)
    path = final_path(location, declared.path, function)
    methods = frozenset(getattr(route, "methods", None) or METHODS)
    if isinstance(route, APIRoute):
        move_api_route(
            route,
            path,
            prefix=location.prefix,
            overrides=location.overrides,
            unused=lambda call: isinstance(call, Guard),  # the dispatcher has checked it already
        )
        route.operation_id = route.operation_id or f"{location.plugin}_{route.name}"
        methods = methods | {"HEAD"} if "GET" in methods else methods
        app = handle_http(route)
    elif isinstance(route, Mount):
        function, route = route.app, Mount(path, route.app, name=route.name)
        path, methods = f"{path}/{{path:path}}", METHODS | {WEBSOCKET}
        app = handle_other(route_app(route))
    else:
        methods = frozenset({WEBSOCKET}) if isinstance(route, WebSocketRoute) else methods
        route.path, app = path, handle_other(route_app(route))
    return Endpoint(
        plugin=location.plugin,
        path=path,
        methods=methods,
        route=route,
        function=function,
        requirement=requirement,
        app=app,
        max_body_size=declared.max_body_size,
    )


def final_path(location: RouteLocation, path: str, function: Any) -> str:
    """Return the path with the prefix of all routes; raises StartError when it is not the plugin's."""
    if not any(is_below(path, root) for root in location.roots):
        owned = " or ".join(location.roots)
        raise check_error(location, f"the route {path} lies outside {owned}", function, "move it, or grant `prefixes`")
    return location.prefix + path


def is_below(path: str, root: str) -> bool:
    """Return whether a path begins with the segments of a root; a parameter fits a parameter, whatever its name."""
    segments, begins = path.split("/"), root.split("/")
    pairs = zip(segments, begins, strict=False)
    return len(segments) >= len(begins) and all(
        one == other or (is_parameter(one) and is_parameter(other)) for one, other in pairs
    )


is_parameter = re.compile(r"{[^{}:]+(:(?!path})[^{}]+)?}").fullmatch  # `{rest:path}` is many segments


def overlap(path: str, other: str) -> bool:
    """Return whether one request could fit both paths; two segments with parameters are taken to fit each other."""
    ones, others = path.split("/"), other.split("/")
    for one, two in zip(ones, others, strict=False):
        if ":path}" in one + two:
            return True
        if one != two and not ("{" in one and "{" in two) and not fits(one, two) and not fits(two, one):
            return False
    return len(ones) == len(others)


def fits(segment: str, pattern: str) -> bool:
    return "{" in pattern and bool(compile_pattern(f"/{pattern}")[0].fullmatch(f"/{segment}"))


def build_requirement(location: RouteLocation, declared: DeclaredRoute) -> Requirement:
    """Return what the guards and dependencies of a route ask for, together."""
    path, function = declared.path, declared.endpoint
    refuse_identity_from_request(location, declared)
    calls = [one.call for one in declared.dependencies]
    guards = [call for call in calls if isinstance(call, Guard)]
    either = any(isinstance(call, TenantOrPlatformSession) for call in calls)
    platform = any(type(call) is PlatformSession for call in calls) or any(one.platform for one in guards)
    if not guards and not platform and not either:
        cure = "add a guard: require_capabilities(), require_roles(), signed_in, or public(why)"
        raise check_error(location, f"the route {path} does not declare what it needs", function, cure)
    public = [one for one in guards if one.public]
    if public and (platform or either or len(guards) > len(public)):
        raise check_error(location, f"the route {path} is public and guarded", function, "keep one of the two")
    capabilities = frozenset().union(*(one.capabilities for one in guards))
    if isinstance(declared.route, WebSocketRoute) and any(
        call in SESSIONS or isinstance(call, PlatformSession) for call in calls
    ):
        cure = "open `async with app.session(tenant.id)` for each message, with app: CurrentApp, tenant: CurrentTenant"
        what = f"the WebSocket {path} would keep a connection of the database as long as it is open"
        raise check_error(location, what, function, cure)
    kinds = {call.kind for call in calls if isinstance(call, Injected)}
    settings = frozenset(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, TenantSettings))
    scoped = bool(settings) or any(call in TENANT_SCOPED for call in calls)
    tenant = scoped or (bool(capabilities) and not either)
    if (tenant and (platform or either)) or (platform and either):
        cure = "keep one: a tenant's Session, settings or capability, platform_session(), or tenant_or_platform()"
        raise check_error(location, f"the route {path} works both in a tenant and on the platform", function, cure)
    return Requirement(
        capabilities=capabilities,
        roles=tuple(roles for one in guards for roles in one.roles),
        public=bool(public),
        tenant=tenant,
        platform=platform,
        tenant_or_platform=either,
        settings=settings,
        why=public[0].why if public else "",
    )


def refuse_identity_from_request(location: RouteLocation, declared: DeclaredRoute) -> None:
    """Raise StartError for a Principal, Tenant or Context that FastAPI would read out of the request.

    Without its dependency, or with a `Depends()` on the class, every caller could be whoever they like.
    """
    found = chain(
        ((one.name or "", one.call) for one in declared.dependencies if isinstance(one.call, type)),
        ((one.name, kind) for one in declared.parameters for kind in classes_of(one.info.annotation)),
    )
    for name, kind in found:
        if issubclass(kind, SET_BY_KERNEL):
            what = f"the route {declared.path} would believe the {kind.__name__} that a caller writes, as {name!r}"
            known = next(one for one in SET_BY_KERNEL if issubclass(kind, one))
            cure = f"write {name}: Current{known.__name__}"
            raise check_error(location, what, declared.endpoint, cure)


def refuse_unbounded_lists(location: RouteLocation, declared: DeclaredRoute) -> None:
    """Raise StartError for a list without a length in a body: each of its values can be several errors."""
    for parameter in declared.parameters:
        if parameter.place == "body":
            for name in unbounded_lists(parameter.info.annotation, parameter.name, parameter.info.metadata):
                function = getattr(declared.endpoint, "__name__", "the endpoint")
                what = f"{function} of the route {declared.path} takes a list of any length, {name}"
                cure = "write Annotated[list[...], Field(max_length=...)]"
                raise check_error(location, what, declared.endpoint, cure)


def check_error(
    location: RouteLocation, what: str, function: Any, cure: str = "use an APIRouter's own decorators"
) -> StartError:
    where = line_of(function) if function is not None else location.where
    return StartError(what, plugin=location.plugin, phase="check", where=where, cure=cure)
