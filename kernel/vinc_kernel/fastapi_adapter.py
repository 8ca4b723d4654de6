"""All that FastAPI and Starlette do not promise, in one place; the rest of the kernel uses documented names only.

tests/kernel/test_fastapi_adapter.py has a test for each of these, which says what to look at when it changes:

- `fastapi.routing.iter_route_contexts`, `RouteContext.original_route`, `RouteContext._effective_route`: the routes of a
  router and of the routers that it includes, with what those add to them
- `APIRouter._iter_low_priority_routes`: frontends, which are in no list of routes
- `APIRoute.dependant` and `APIWebSocketRoute.dependant`, `fastapi.dependencies.models.Dependant`, and `name` and
  `field_info` of its parameters: the tree of dependencies and what FastAPI reads out of a request for them
- `_type_adapter` of these parameters: what validates them, by `validate_python()`
- `APIRoute.response_field`, `response_fields`, and `field_info` of both: what a route returns
- `APIRoute.body_field`, `fastapi.params.Form`: whether a route takes a form
- `APIRoute.path`, `path_format` and `dependency_overrides_provider`, set on a copy: `get_route_handler()` and
  `get_openapi()` read them there
- `ModelField._type_adapter`, of which `validate()` uses `validate_python()` alone: how strictly a value is read
- `fastapi_middleware_astack`, `fastapi_inner_astack`, `fastapi_function_astack` in the scope: where dependencies with
  `yield`, and forms, are closed
- `starlette.routing.compile_path`, `Route.app`, `Mount.matches`: how a route runs without its router
"""

from __future__ import annotations

import copy
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.params import Form
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts
from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from starlette.convertors import Convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute, compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from .annotations import classes_of
from .strict_schema import JSON, TEXTS, strict_validator

PLACES = ("path", "query", "header", "cookie", "body")
RESULT = "result"  # the place of what a route returns
SEQUENCES = frozenset({Sequence, list, tuple, set, frozenset, deque})  # what FastAPI reads repeated parameters into
MOST_ERRORS = 5000
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Dependency:
    """A dependency of a route, or of one of its dependencies; `name` is the parameter that gets its result."""

    call: Callable[..., Any]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """What FastAPI reads out of a request for a function's argument called `name`; `place` is one of `PLACES`."""

    place: str
    name: str
    info: FieldInfo
    function: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredRoute:
    """A route as a router declares it.

    `is_hidden`: a mount or a plain route of an included router, where nobody knows the dependencies that are around it.
    """

    route: BaseRoute
    path: str
    endpoint: Any
    is_hidden: bool
    max_body_size: int | None
    dependencies: tuple[Dependency, ...]
    parameters: tuple[Parameter, ...]


def declared_routes(router: APIRouter) -> Iterator[DeclaredRoute]:
    """Yield the routes of a router and of those that it includes, each as a copy that may be changed.

    FastAPI runs no dependencies for mounts and plain routes: theirs are those of the router, for whoever runs them.
    """
    for context in iter_route_contexts(router.routes):
        original = context.original_route
        effective: Any = context._effective_route  # noqa: SLF001  see above
        route = copy.copy(effective if isinstance(original, APIWebSocketRoute) else original)
        if isinstance(original, APIRoute) and effective is not original:
            route.__dict__.update({key: getattr(effective, key) for key in vars(original) if hasattr(effective, key)})
        has_tree = isinstance(route, APIRoute | APIWebSocketRoute)
        around = [Dependency(one.dependency) for one in router.dependencies if one.dependency is not None]
        yield DeclaredRoute(
            route=route,
            path=context.path or "",
            endpoint=getattr(route, "endpoint", None),
            is_hidden=effective is not original and not has_tree,
            max_body_size=getattr(route, "max_body_size", router.max_body_size),
            dependencies=tuple(dependencies_of(route) if has_tree else around),
            parameters=tuple(parameters_of(route) if has_tree else ()),
        )


def results_of(route: BaseRoute) -> Iterator[Parameter]:
    """Yield what a route returns, as its documentation tells it."""
    if isinstance(route, APIRoute):
        for result in (route.response_field, *route.response_fields.values()):
            if result is not None:
                yield Parameter(RESULT, "", result.field_info, route.endpoint)


def is_described(route: BaseRoute, one: Parameter) -> bool:
    """Return whether the OpenAPI document tells of it."""
    is_in_schema = isinstance(route, APIRoute) and route.include_in_schema
    return bool(is_in_schema and getattr(one.info, "include_in_schema", True))


def has_frontend(router: APIRouter) -> bool:
    return any(router._iter_low_priority_routes())  # noqa: SLF001  see above


def dependencies_of(route: Any) -> Iterator[Dependency]:
    """Yield every dependency of an APIRoute or an APIWebSocketRoute, those of dependencies behind them."""
    for node in nodes_of(route.dependant):
        if node is not route.dependant and node.call is not None:
            yield Dependency(node.call, node.name)


def parameters_of(route: Any) -> Iterator[Parameter]:
    """Yield what FastAPI reads out of the request for a route and its dependencies."""
    for node in nodes_of(route.dependant) if hasattr(route, "dependant") else ():
        for place in PLACES:
            for field in getattr(node, f"{place}_params"):
                yield Parameter(place, field.name, field.field_info, node.call)


def nodes_of(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for child in dependant.dependencies:
        yield from nodes_of(child)


def query_parameters(route: APIRoute) -> Iterator[tuple[str, bool]]:
    """Yield the names of query parameters, a model's fields one by one, and whether each may be repeated."""
    for one in parameters_of(route):
        if one.place == "query":
            model = next((kind for kind in classes_of(one.info.annotation) if issubclass(kind, BaseModel)), None)
            for name, info in model.model_fields.items() if model else [(one.name, one.info)]:
                may_repeat = not SEQUENCES.isdisjoint(classes_of(info.annotation))
                yield from ((alias, may_repeat) for alias in aliases_of(name, info))


def aliases_of(name: str, info: FieldInfo) -> list[str]:
    """Return what a field may be called in a request."""
    if isinstance(info.validation_alias, AliasChoices):
        return [choice for choice in info.validation_alias.choices if isinstance(choice, str)]
    return [info.validation_alias if isinstance(info.validation_alias, str) else info.alias or name]


def takes_json(route: APIRoute) -> bool:
    return route.body_field is not None and not isinstance(route.body_field.field_info, Form)


def move_api_route(route: APIRoute, path: str, *, prefix: str, overrides: Any, unused: Callable[[Any], bool]) -> None:
    """Give a route its final path, and leave out the dependencies that are `unused` and hand over nothing."""
    route.path = path
    route.path_format = prefix + route.path_format  # `path_regex` stays the router's: nothing here asks it
    route.dependency_overrides_provider = overrides
    route.dependant = copy.copy(route.dependant)
    route.dependant.dependencies = [
        child for child in route.dependant.dependencies if child.name or not unused(child.call)
    ]


def request_handler(route: APIRoute) -> Handler:
    """Return what FastAPI runs for a request to this route.

    FastAPI takes 10 µs for each query parameter, also for an absent one. A dependency whose `reads_own_query` is true
    reads its parameters itself; FastAPI only describes them.
    """
    lean = copy.copy(route)
    lean.dependant = strict_dependant(route.dependant)
    return lean.get_route_handler()


def strict_dependant(dependant: Dependant) -> Dependant:
    """Return a copy of the tree whose parameters are read strictly, without those that a dependency reads itself."""
    lean = copy.copy(dependant)
    lean.dependencies = [strict_dependant(child) for child in dependant.dependencies]
    for place in PLACES:
        name = f"{place}_params"
        setattr(lean, name, [strict_field(field, place) for field in getattr(dependant, name)])
    if getattr(dependant.call, "reads_own_query", False):
        lean.query_params = []
    lean.body_params = [with_few_errors(field) for field in lean.body_params]
    return lean


def with_few_errors(field: Any) -> Any:
    """Return a field that reports one error in the place of very many.

    FastAPI lets Pydantic build each, at 2 µs and 1 KB: ten thousand times `{}` can have a million.
    """
    adapter, lean = field._type_adapter, copy.copy(field)  # noqa: SLF001  see above

    def validate_python(value: Any, **options: Any) -> Any:
        try:
            return adapter.validate_python(value, **options)
        except ValidationError as error:
            if error.error_count() <= MOST_ERRORS:
                raise
            one = PydanticCustomError("too_many_errors", "has more than {most} errors", {"most": MOST_ERRORS})
            raise ValidationError.from_exception_data(error.title, [{"type": one, "input": None}]) from None

    lean._type_adapter = SimpleNamespace(validate_python=validate_python)  # noqa: SLF001  see above
    return lean


def strict_field(field: Any, place: str) -> Any:
    """Return the field with a strict validator: of JSON for a body, of texts for an address and headers."""
    adapter = field._type_adapter  # noqa: SLF001  see above
    if isinstance(field.field_info, Form) or not adapter.pydantic_complete:
        return field
    strict = copy.copy(field)
    strict._type_adapter = strict_validator(adapter.core_schema, JSON if place == "body" else TEXTS)  # noqa: SLF001  see above
    return strict


def set_exit_stacks(scope: Scope, request: AsyncExitStack, function: AsyncExitStack) -> None:
    """Let FastAPI close dependencies of the scope "function", and all others and forms, with these stacks."""
    scope["fastapi_middleware_astack"] = scope["fastapi_inner_astack"] = request
    scope["fastapi_function_astack"] = function


def compile_pattern(path: str) -> tuple[re.Pattern[str], Mapping[str, Convertor[Any]]]:
    regex, _, convertors = compile_path(path)
    return regex, convertors


def route_app(route: Route | WebSocketRoute | Mount) -> ASGIApp:
    """Return the application that a plain route, a WebSocket route or a mount runs once its path has matched."""
    if not isinstance(route, Mount):
        return route.app

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope.update(route.matches(scope)[1])  # the mount's path joins the scope's `root_path`
        await route.app(scope, receive, send)

    return app
