"""What FastAPI and Starlette do not promise still is as fastapi_adapter.py takes it to be."""

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, contextmanager
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Cookie, Depends, Header, Query, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.params import Form
from fastapi.routing import APIRoute, APIWebSocketRoute
from pydantic import AliasChoices, BaseModel, Field
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import Message

from vinc_kernel.fastapi_adapter import (
    MOST_ERRORS,
    DeclaredRoute,
    Dependency,
    compile_pattern,
    declared_routes,
    has_frontend,
    move_api_route,
    query_parameters,
    request_handler,
    route_app,
    set_exit_stacks,
    strict_field,
    takes_json,
)


@contextmanager
def look_at(*names: str) -> Generator[None]:
    """Say in a failure where to look in the installed FastAPI and Starlette."""
    try:
        yield
    except Exception as error:
        error.add_note(f"fastapi_adapter.py relies on what changed: look at {', '.join(names)}")
        raise


def outer() -> None: ...


def inner() -> None: ...


def whole(request: Request) -> str:
    return request.url.path


async def run(route: APIRoute, *, query: bytes = b"", body: bytes = b"", stack: AsyncExitStack | None = None) -> bytes:
    """Return the body with which a route answers."""
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/a",
        "path_params": {},
        "headers": [(b"content-type", b"application/json")],
        "query_string": query,
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async with AsyncExitStack() as own, AsyncExitStack() as functions:
        set_exit_stacks(scope, stack or own, functions)
        return bytes((await request_handler(route)(Request(scope, receive))).body)


def only(router: APIRouter) -> DeclaredRoute:
    (declared,) = declared_routes(router)
    return declared


def api_route(router: APIRouter) -> APIRoute:
    route = only(router).route
    assert isinstance(route, APIRoute)
    return route


def test_routes_of_included_routers_are_found_with_what_is_added_to_them() -> None:
    middle, router = APIRouter(prefix="/m", dependencies=[Depends(inner)]), APIRouter(dependencies=[Depends(outer)])
    middle.max_body_size, router.max_body_size = 7, 9
    middle.add_api_route("/a", whole, methods=["POST"], tags=["own"])
    middle.add_api_websocket_route("/w", whole)
    middle.routes.append(Route("/plain", whole))
    router.include_router(middle, prefix="/r", tags=["added"])
    router.routes.append(Mount("/mount", PlainTextResponse("mounted")))
    with look_at("fastapi.routing.iter_route_contexts", "RouteContext.original_route", "RouteContext._effective_route"):
        http, socket, plain, mount = declared_routes(router)
        kinds = [type(one.route) for one in (http, socket, plain, mount)]

        assert kinds == [APIRoute, APIWebSocketRoute, Route, Mount]
        assert [one.path for one in (http, socket, plain, mount)] == ["/r/m/a", "/r/m/w", "/r/plain", "/mount"]
        assert [one.is_hidden for one in (http, socket, plain, mount)] == [False, False, True, False]
        assert [one.max_body_size for one in (http, socket, plain, mount)] == [7, 9, 9, 9]
        assert http.dependencies == socket.dependencies == (Dependency(outer), Dependency(inner))
        assert mount.dependencies == (Dependency(outer),)
        assert isinstance(http.route, APIRoute)
        assert (http.route.tags, http.route.methods) == (["added", "own"], {"POST"})


def test_a_route_that_is_changed_leaves_the_routers_own_as_it_was() -> None:
    router = APIRouter()
    router.add_api_route("/a", whole, dependencies=[Depends(outer)])
    with look_at("APIRoute.path", "APIRoute.path_format", "APIRoute.dependant"):
        move_api_route(api_route(router), "/v1/a", prefix="/v1", overrides=None, unused=lambda _: True)
        again = only(router)

        assert (again.path, again.dependencies) == ("/a", (Dependency(outer),))


@pytest.mark.parametrize("included", [False, True])
def test_a_frontend_is_noticed(tmp_path: Any, included: bool) -> None:
    inside, router = APIRouter(), APIRouter()
    inside.frontend("/", directory=tmp_path)
    router.include_router(inside, prefix="/x")
    with look_at("fastapi.APIRouter.frontend", "APIRouter._iter_low_priority_routes"):
        assert has_frontend(router if included else inside)
        assert not has_frontend(APIRouter())


class Filter(BaseModel):
    color: str = ""
    sizes: list[int] = Field([], alias="size")


Word = Annotated[str, Query(alias="w")]


def read_word(word: Word, page: Annotated[Filter | None, Query()] = None) -> str:
    return f"{word}{page and page.sizes}"


def read(
    number: int,
    found: Annotated[str, Depends(read_word)],
    agent: Annotated[str, Header(alias="user-agent")],
    crumb: Annotated[str, Cookie()],
    body: Filter,
) -> str:
    return f"{number}{found}{agent}{crumb}{body}"


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_tree_of_dependencies_tells_calls_and_parameters(kind: str) -> None:
    router = APIRouter()
    if kind == "http":
        router.add_api_route("/{number}", read, methods=["POST"])
    else:
        router.add_api_websocket_route("/{number}", read)
    with look_at("fastapi.dependencies.models.Dependant", "APIRoute.dependant", "APIWebSocketRoute.dependant"):
        declared = only(router)

        assert declared.dependencies == (Dependency(read_word, "found"),)
        assert [(one.place, one.name, one.info.annotation) for one in declared.parameters] == [
            *(("path", "number", int), ("header", "agent", str), ("cookie", "crumb", str), ("body", "body", Filter)),
            *(("query", "word", str), ("query", "page", Filter | None)),
        ]


def test_query_parameters_have_the_names_that_callers_write() -> None:
    def lists(
        one: Word,
        many: Annotated[Sequence[int] | None, Query(validation_alias="m")] = None,
        some: Annotated[set[str], Query(validation_alias=AliasChoices("s", "t"))] = set(),  # noqa: B006  FastAPI copies it
        page: Annotated[Filter | None, Query()] = None,
    ) -> None: ...

    router = APIRouter()
    router.add_api_route("/", lists)
    with look_at("Dependant.query_params", "fastapi._compat.ModelField.field_info"):
        assert list(query_parameters(api_route(router))) == [
            *(("w", False), ("m", True), ("s", True), ("t", True), ("color", False), ("size", True))
        ]


def test_a_route_takes_json_unless_its_body_is_a_form() -> None:
    router = APIRouter()
    router.add_api_route("/json", lambda: None)
    with look_at("APIRoute.body_field", "fastapi.params.Form"):
        route = api_route(router)
        assert not takes_json(route)
        route.body_field = SimpleNamespace(field_info=Form())  # type: ignore[assignment]  FastAPI's needs python-multipart
        assert not takes_json(route)
        router = APIRouter()
        router.add_api_route("/{number}", read, methods=["POST"])
        assert takes_json(api_route(router))


async def test_of_very_many_errors_in_a_body_none_is_built() -> None:
    async def take(rows: list[Filter]) -> None: ...

    router = APIRouter()
    router.add_api_route("/", take, methods=["POST"])

    async def errors_of(body: bytes) -> list[Any]:
        with pytest.raises(RequestValidationError) as refused:
            await run(api_route(router), body=body)
        return list(refused.value.errors())

    with look_at("fastapi._compat.ModelField._type_adapter", "fastapi._compat.ModelField.validate"):
        few, many = await errors_of(b"[1,2]"), await errors_of(b"[%s1]" % (b"1," * MOST_ERRORS))

        assert [one["loc"] for one in few] == [("body", 0), ("body", 1)]
        assert [(one["loc"], one["type"]) for one in many] == [(("body",), "too_many_errors")]


async def test_a_moved_route_is_described_and_overridden_where_it_goes() -> None:
    def overridden() -> str:
        return "by a test"

    def greet(text: Annotated[str, Depends(whole)]) -> str:
        return text

    router = APIRouter()
    router.add_api_route("/a/{x:int}", greet, dependencies=[Depends(outer), Depends(inner)])
    with look_at("APIRoute.path_format", "APIRoute.dependency_overrides_provider", "APIRoute.get_route_handler"):
        route = api_route(router)
        overrides = SimpleNamespace(dependency_overrides={whole: overridden})
        move_api_route(route, "/v1/a/{x:int}", prefix="/v1", overrides=overrides, unused=lambda call: call is outer)

        assert list(get_openapi(title="", version="", routes=[route])["paths"]) == ["/v1/a/{x}"]
        assert [one.call for one in route.dependant.dependencies] == [inner, whole]
        assert await run(route) == b'"by a test"'


async def test_fastapi_reads_no_query_for_a_dependency_that_reads_its_own() -> None:
    class OwnQuery:
        reads_own_query = True

        def __call__(self, request: Request, number: int = 0) -> str:
            return f"{request.query_params['number']}, not {number}"

    def endpoint(text: Annotated[str, Depends(OwnQuery())]) -> str:
        return text

    router = APIRouter()
    router.add_api_route("/", endpoint)
    route = api_route(router)
    with look_at("Dependant.query_params", "fastapi.dependencies.utils.solve_dependencies"):
        assert await run(route, query=b"number=7") == b'"7, not 0"'
        assert [name for name, _ in query_parameters(route)] == ["number"]


async def test_dependencies_with_yield_end_with_their_stack() -> None:
    events: list[str] = []

    async def of_function() -> AsyncGenerator[None]:
        yield
        events.append("function")

    async def of_request() -> AsyncGenerator[None]:
        yield
        events.append("request")

    router = APIRouter()
    depends = [Depends(of_request), Depends(of_function, scope="function")]
    router.add_api_route("/", whole, dependencies=depends)
    with look_at("fastapi.routing.request_response, which sets `fastapi_inner_astack` and the like"):
        async with AsyncExitStack() as stack:
            await run(api_route(router), stack=stack)
            assert events == ["function"]
        assert events == ["function", "request"]


def test_a_path_is_compiled_with_its_converters() -> None:
    with look_at("starlette.routing.compile_path"):
        regex, convertors = compile_pattern("/a/{x:int}/{y}")
        matched = regex.fullmatch("/a/7/b")

        assert matched is not None
        assert {name: convertors[name].convert(text) for name, text in matched.groupdict().items()} == {
            "x": 7,
            "y": "b",
        }


async def test_plain_routes_sockets_and_mounts_run_without_a_router() -> None:
    async def socket(websocket: WebSocket) -> None:
        await websocket.close()

    async def plain(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.url.path)

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        await send({"root_path": scope["root_path"]})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/v1/m/x", "headers": [], "query_string": b""}
    with look_at("starlette.routing.Route.app", "starlette.routing.Mount.matches"):
        await route_app(Route("/p", plain))(dict(scope), receive, send)
        await route_app(WebSocketRoute("/w", socket))(dict(scope, type="websocket"), receive, send)
        await route_app(Mount("/v1/m", mounted))(dict(scope), receive, send)

        assert [message["body"] for message in sent if message.get("type") == "http.response.body"] == [b"/v1/m/x"]
        assert sent[-2]["type"] == "websocket.close"
        assert sent[-1] == {"root_path": "/v1/m"}


def test_a_field_reads_a_value_with_its_type_adapter_alone() -> None:
    router = APIRouter()
    router.add_api_route("/{number}", takes_number)
    with look_at("ModelField._type_adapter", "ModelField.validate"):
        (field,) = api_route(router).dependant.path_params
        strict = strict_field(field, "path")

        assert field.validate("1_0", {}, loc=("path",)) == (10, [])
        assert strict.validate("7", {}, loc=("path",)) == (7, [])
        assert [one["type"] for one in strict.validate("1_0", {}, loc=("path",))[1]] == ["integer"]


async def takes_number(number: int) -> int:
    return number
