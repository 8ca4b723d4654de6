"""Make the endpoints of a plugin out of its routers; the routers themselves are left as they were."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute, RouteContext, iter_route_contexts
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute, compile_path
from starlette.types import ASGIApp

from .annotations import classes_of
from .context import Context, Principal, Tenant
from .dependencies import Injected
from .errors import StartError
from .guards import Guard, guards_of
from .handling import handle_http, handle_other
from .permissions import Requirement
from .sessions import TENANT_SCOPED, PlatformSession, TenantOrPlatformSession
from .tenant_settings import TenantSettings

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
FOUND_OUT = (Context, Principal, Tenant)  # by the kernel, with each request
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

    @property
    def where(self) -> str:
        return line_of(self.function)

    @property
    def path_format(self) -> str:
        """The path as OpenAPI writes it, without converters."""
        return re.sub(r"{([^}:]+):[^}]+}", r"{\1}", self.path)

    @property
    def shape(self) -> str:
        """The path with the names of its parameters left out: two of one shape would answer the same requests."""
        return re.sub(r"{[^}:]+(:[^}]+)?}", r"{\1}", self.path).replace("{:str}", "{}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a plugin's routes go, and what they may need from the application around them."""

    plugin: str
    prefix: str
    own: tuple[str, ...] = ()
    overrides: Any = None
    where: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        return (f"/{self.plugin}", *self.own)


def line_of(function: Any) -> str:
    """`file:line` of a function, through its decorators, of a class, or of the class of a callable object."""
    function = inspect.unwrap(getattr(function, "func", function))
    if isinstance(function, type):
        return class_line(function)
    code = getattr(function, "__code__", None) or getattr(getattr(type(function), "__call__", None), "__code__", None)  # noqa: B004  wanted is its code
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(type(function).__name__)


def class_line(cls: type) -> str:
    """`file:line` of a class; for a class that was made without source its module."""
    try:
        return f"{inspect.getsourcefile(cls)}:{inspect.findsource(cls)[1] + 1}"
    except (OSError, TypeError):
        return cls.__module__


def endpoints(place: Place, routers: Iterable[APIRouter]) -> Iterator[Endpoint]:
    """The endpoints of these routers; raises StartError for one that does not say what it needs."""
    for router in routers:
        if any(router._iter_low_priority_routes()):  # noqa: SLF001  they are in no list of routes
            raise refused(place, "a frontend is a kind of route that is not known here", None, "mount StaticFiles")
        around = [dependency.dependency for dependency in router.dependencies]
        for context in iter_route_contexts(router.routes):
            yield endpoint(place, context, [call for call in around if isinstance(call, Guard)])


def endpoint(place: Place, context: RouteContext, around: Sequence[Guard]) -> Endpoint:
    original = context.original_route
    effective: Any = context._effective_route  # noqa: SLF001  the only way to what a nested route is made of
    if isinstance(original, APIRoute):
        return api_endpoint(place, api_route(original, effective))
    if isinstance(original, APIWebSocketRoute):
        return websocket_endpoint(place, effective)
    if effective is not original:  # the guards of the routers in between are nowhere to be seen
        what = f"the route {context.path} is a plain one inside an included router"
        raise refused(place, what, getattr(original, "endpoint", None), "add it to the router that is contributed")
    if isinstance(original, Mount):
        return mount_endpoint(place, original, context.path or "", around)
    if isinstance(original, Route | WebSocketRoute):
        return plain_endpoint(place, original, context.path or "", around)
    raise refused(place, f"{context.path or type(original).__name__} is a kind of route that is not known here", None)


def api_route(original: APIRoute, effective: Any) -> APIRoute:
    """A copy that may be changed. A route of a nested router is known only by what its parents made of it."""
    route = copy.copy(original)
    if effective is not original:
        route.__dict__.update({key: getattr(effective, key) for key in vars(original) if hasattr(effective, key)})
    return route


def api_endpoint(place: Place, route: APIRoute) -> Endpoint:
    requirement = required_by(place, route.path, list(guards_of(route.dependant)), route.endpoint, route.dependant)
    function = route.endpoint
    route.path = path_in(place, route.path, function)
    route.path_format = place.prefix + route.path_format  # `path_regex` stays the router's: the index asks none of ours
    route.dependant = without_guards(route.dependant)
    route.dependency_overrides_provider = place.overrides
    route.operation_id = route.operation_id or f"{place.plugin}_{route.name}"
    methods = frozenset(route.methods or ())
    return Endpoint(
        plugin=place.plugin,
        path=route.path,
        methods=methods | {"HEAD"} if "GET" in methods else methods,
        route=route,
        function=function,
        requirement=requirement,
        app=handle_http(route),
    )


def websocket_endpoint(place: Place, effective: APIWebSocketRoute) -> Endpoint:
    guards = list(guards_of(effective.dependant))
    requirement = required_by(place, effective.path, guards, effective.endpoint, effective.dependant)
    route = copy.copy(effective)
    route.path = path_in(place, effective.path, effective.endpoint)
    return other_endpoint(place, route, frozenset({WEBSOCKET}), requirement)


def mount_endpoint(place: Place, mount: Mount, path: str, around: Sequence[Guard]) -> Endpoint:
    requirement = required_by(place, path, around, None, None)
    at = path_in(place, path, None)
    moved = Mount(at, mount.app, name=mount.name)
    everything = METHODS | {WEBSOCKET}
    return Endpoint(
        plugin=place.plugin,
        path=f"{at}/{{path:path}}",
        methods=everything,
        route=moved,
        function=mount.app,
        requirement=requirement,
        app=handle_other(moved.handle, mount=moved),
    )


def plain_endpoint(place: Place, route: Route | WebSocketRoute, path: str, around: Sequence[Guard]) -> Endpoint:
    requirement = required_by(place, path, around, route.endpoint, None)
    moved = copy.copy(route)
    moved.path = path_in(place, path, route.endpoint)
    methods = frozenset(route.methods or METHODS) if isinstance(route, Route) else frozenset({WEBSOCKET})
    return other_endpoint(place, moved, methods, requirement)


def other_endpoint(
    place: Place, route: Route | WebSocketRoute, methods: frozenset[str], requirement: Requirement
) -> Endpoint:
    route.path_regex, route.path_format, route.param_convertors = compile_path(route.path)
    return Endpoint(
        plugin=place.plugin,
        path=route.path,
        methods=methods,
        route=route,
        function=route.endpoint,
        requirement=requirement,
        app=handle_other(route.app),
    )


def path_in(place: Place, path: str, function: Any) -> str:
    """The final path; a plugin's routes lie under its own name, or under a prefix that plugins.toml grants."""
    if not any(path == own or path.startswith(f"{own}/") for own in place.paths):
        owned = " or ".join(place.paths)
        raise refused(place, f"the route {path} lies outside {owned}", function, "move it, or grant `prefixes`")
    return place.prefix + path


def required_by(
    place: Place, path: str, guards: Sequence[Guard], function: Any, dependant: Dependant | None
) -> Requirement:
    """What a route's guards ask for, together."""
    if dependant is not None:
        refuse_what_callers_would_write(place, path, function, dependant)
    calls = list(calls_of(dependant)) if dependant is not None else []
    either = any(isinstance(call, TenantOrPlatformSession) for call in calls)
    platform = any(type(call) is PlatformSession for call in calls) or any(one.platform for one in guards)
    if not guards and not platform and not either:
        cure = "add a guard: require_capabilities(), require_roles(), signed_in, or public(why)"
        raise refused(place, f"the route {path} does not declare what it needs", function, cure)
    open_to_all = [one for one in guards if one.public]
    if open_to_all and (platform or either or len(guards) > len(open_to_all)):
        raise refused(place, f"the route {path} is public and guarded", function, "keep one of the two")
    capabilities = frozenset().union(*(one.capabilities for one in guards))
    asked = {call.kind for call in calls if isinstance(call, Injected)}
    settings = frozenset(kind for kind in asked if isinstance(kind, type) and issubclass(kind, TenantSettings))
    scoped = bool(settings) or any(call in TENANT_SCOPED for call in calls)
    tenant = (bool(capabilities) and not either) or scoped
    if (tenant and (platform or either)) or (platform and either):
        cure = "keep one: a tenant's Session, settings or capability, platform_session(), or tenant_or_platform()"
        raise refused(place, f"the route {path} works both in a tenant and on the platform", function, cure)
    return Requirement(
        capabilities=capabilities,
        roles=tuple(one.roles for one in guards if one.roles),
        public=bool(open_to_all),
        tenant=tenant,
        platform=platform,
        tenant_or_platform=either,
        settings=settings,
        why=open_to_all[0].why if open_to_all else "",
    )


def refuse_what_callers_would_write(place: Place, path: str, function: Any, dependant: Dependant) -> None:
    """A principal without its dependency would be read out of the request: anybody could be whom they like."""
    for name, annotation in read_from_request(dependant):
        if kind := next((one for one in classes_of(annotation) if issubclass(one, FOUND_OUT)), None):
            what = f"the route {path} would believe the {kind.__name__} that a caller writes, as {name!r}"
            cure = "write Annotated[Principal, Depends(current_principal)], or take the tenant of the Context"
            raise refused(place, what, function, cure)


def read_from_request(dependant: Dependant) -> Iterator[tuple[str, Any]]:
    """The name and annotation of all that FastAPI makes of what a caller sends; `Depends()` makes it of parameters."""
    own = dependant.path_params, dependant.query_params, dependant.header_params, dependant.cookie_params
    for given in chain(*own, dependant.body_params):
        yield given.name, given.field_info.annotation
    for child in dependant.dependencies:
        if isinstance(child.call, type) and issubclass(child.call, FOUND_OUT):
            yield child.name or child.call.__name__, child.call
        yield from read_from_request(child)


def calls_of(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for child in dependant.dependencies:
        if child.call is not None:
            yield child.call
        yield from calls_of(child)


def without_guards(dependant: Dependant) -> Dependant:
    """The same tree without the guards whose answer nobody reads: the dispatcher has asked them already."""
    kept = copy.copy(dependant)
    kept.dependencies = [child for child in dependant.dependencies if child.name or not isinstance(child.call, Guard)]
    return kept


def refused(place: Place, what: str, function: Any, cure: str = "use an APIRouter's own decorators") -> StartError:
    where = line_of(function) if function is not None else place.where
    return StartError(what, plugin=place.plugin, phase="check", where=where, cure=cure)
