"""A plugin whose routes don't say what they need, lie elsewhere, or would answer the same requests."""

from __future__ import annotations

import pytest

from .conftest import Judge, Workshop

HEAD = """
from fastapi import APIRouter, Depends, WebSocket
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.routing import Host, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from vinc_kernel import *
from vinc_kernel import Contribution, hooks
router = APIRouter(prefix="/bad")
open_router = APIRouter(prefix="/bad", dependencies=[public("a test asks")])
async def plain(request): ...  # plain
async def socket(websocket): ...  # socket
class Endpoint(HTTPEndpoint):  # class
    async def get(self, request): ...
"""
CONTRIBUTE = "\n@hooks.contribute\ndef contribute():\n    return Contribution(routers=[ROUTER])  # made\n"
INNER = 'inner = APIRouter(prefix="/inner")\nCODE\nrouter.include_router(inner)'
CURE = "add a guard: require_capabilities(), require_roles(), signed_in, or public(why)"


@pytest.mark.parametrize(
    ("code", "path", "mark"),
    [
        ('@router.get("")  # here\nasync def f(): ...', "/bad", "# here"),
        ('@router.get("/x", dependencies=[Depends(lambda: 1)])  # here\nasync def f(): ...', "/bad/x", "# here"),
        ('@router.websocket("/ws")  # here\nasync def f(websocket: WebSocket): ...', "/bad/ws", "# here"),
        ('router.routes.append(Route("/bad/plain", plain))', "/bad/plain", "# plain"),
        ('router.routes.append(Route("/bad/class", Endpoint))', "/bad/class", "# class"),
        ('router.routes.append(WebSocketRoute("/bad/ws", socket))', "/bad/ws", "# socket"),
        ('router.routes.append(Mount("/bad/app", Starlette()))', "/bad/app", "# made"),
        ('router.routes.append(Mount("/bad/static", StaticFiles(directory="/")))', "/bad/static", "# made"),
        (INNER.replace("CODE", '@inner.get("")  # here\nasync def f(): ...'), "/bad/inner", "# here"),
        (
            INNER.replace("CODE", '@inner.websocket("")  # here\nasync def f(websocket: WebSocket): ...'),
            "/bad/inner",
            "# here",
        ),
    ],
)
def test_a_route_without_a_guard_is_refused(judge: Judge, code: str, path: str, mark: str) -> None:
    line = f"bad: check: the route {path} does not declare what it needs ({{{mark}}}); {CURE}"
    judge(line, HEAD + code + CONTRIBUTE.replace("ROUTER", "router"))


@pytest.mark.parametrize(
    ("router", "guards"),
    [
        ("router", "signed_in, public('why')"),
        ("router", "public('why'), require_roles('x')"),
        ("router", "require_capabilities('bad.read'), public('why')"),
        ("open_router", "signed_in"),
    ],
)
def test_public_beside_a_guard_is_refused(judge: Judge, router: str, guards: str) -> None:
    code = f'@{router}.get("", dependencies=[{guards}])  # here\nasync def f(): ...'
    line = "bad: check: the route /bad is public and guarded ({here}); keep one of the two"
    judge(line, HEAD + code + CONTRIBUTE.replace("ROUTER", router))


@pytest.mark.parametrize("kind", ["Session", "OrmSession", "Annotated[Any, platform_session('why')]"])
def test_a_session_that_lives_as_long_as_a_websocket_is_refused(judge: Judge, kind: str) -> None:
    code = f"""
from typing import Annotated, Any
from vinc_kernel import OrmSession, Session, platform_session
@router.websocket("/ws", dependencies=[signed_in])  # here
async def f(websocket: WebSocket, db: {kind}): ...
"""
    what = "the WebSocket /bad/ws would keep a connection of the database as long as it is open ({here})"
    cure = "open `async with app.session(tenant.id)` for each message, with app: CurrentApp, tenant: CurrentTenant"
    judge(f"bad: check: {what}; {cure}", HEAD + code + CONTRIBUTE.replace("ROUTER", "router"))


FORGED = """
from dataclasses import dataclass
from typing import Annotated, NewType
from fastapi import Cookie, Header, Query
from pydantic import BaseModel, RootModel
from typing_extensions import TypedDict
from vinc_kernel import current_principal
@dataclass(frozen=True)
class Mine(Principal): ...
class Around(BaseModel):
    inside: list[Principal] | None = None
class Root(RootModel[Principal]): ...
class Typed(TypedDict):
    who: Principal
Renamed = NewType("Renamed", Principal)
async def inner(caller: Principal) -> str: ...
async def deeper(caller: Annotated[Principal, Depends()]) -> str: ...
"""


@pytest.mark.parametrize(
    ("parameters", "kind", "name"),
    [
        ("caller: Annotated[Principal, current_principal]", "Principal", "caller"),
        ("caller: Principal | None = None", "Principal", "caller"),
        ("tenant: Tenant", "Tenant", "tenant"),
        ("asked: Annotated[str, Depends(inner)]", "Principal", "caller"),
        ("caller: Annotated[Principal, Depends()]", "Principal", "caller"),
        ("caller=Depends(Principal)", "Principal", "caller"),
        ("asked: Annotated[str, Depends(deeper)]", "Principal", "caller"),
        ("tenant: Annotated[Tenant, Depends()]", "Tenant", "tenant"),
        ("context: Annotated[Context, Depends()]", "Context", "context"),
        ("caller: Mine", "Mine", "caller"),
        ("caller: Annotated[Mine, Depends()]", "Mine", "caller"),
        ("callers: list[Principal] | None = None", "Principal", "callers"),
        ("callers: list[list[Principal]]", "Principal", "callers"),
        ("given: Around", "Principal", "given"),
        ("given: Root", "Principal", "given"),
        ("given: Typed", "Principal", "given"),
        ("caller: Renamed", "Principal", "caller"),
    ],
)
def test_a_principal_that_callers_would_write_is_refused(judge: Judge, parameters: str, kind: str, name: str) -> None:
    code = f'{FORGED}@router.post("", dependencies=[signed_in])  # here\nasync def f({parameters}): ...'
    what = f"the route /bad would believe the {kind} that a caller writes, as {name!r}"
    cure = f"write {name}: Current{'Principal' if kind == 'Mine' else kind}"
    judge(f"bad: check: {what} ({{here}}); {cure}", HEAD + code + CONTRIBUTE.replace("ROUTER", "router"))


def test_a_principal_that_the_kernel_hands_over_is_taken(workshop: Workshop) -> None:
    code = """
@dataclass
class ListQuery:
    caller: Annotated[Principal, Depends(current_principal)]
    words: Annotated[str, Query()] = ""
@router.post("", dependencies=[signed_in])
async def f(asked: Annotated[ListQuery, Depends()], caller: Annotated[Principal, Depends(current_principal)]): ...
"""
    workshop.plugin("bad", HEAD + FORGED + code + CONTRIBUTE.replace("ROUTER", "router"))

    assert [one.path for one in workshop.app().routes if one.plugin == "bad"] == ["/api/v1/bad"]


@pytest.mark.parametrize(
    ("route", "path", "mark"),
    [
        ('Route("/plain", plain)', "/bad/plain", "# plain"),
        ('Mount("/app", Starlette())', "/bad/app", "# made"),
        ('WebSocketRoute("/ws", socket)', "/bad/ws", "# socket"),
    ],
)
def test_a_plain_route_of_an_inner_router_is_refused(judge: Judge, route: str, path: str, mark: str) -> None:
    """FastAPI runs no dependency of its router, and the guards between it and the outer one are nowhere to be seen."""
    code = (
        f"inner = APIRouter(dependencies=[signed_in])\ninner.routes.append({route})\nopen_router.include_router(inner)"
    )
    what = f"the route {path} is a plain one inside an included router"
    line = f"bad: check: {what} ({{{mark}}}); add it to the router that is contributed"
    judge(line, HEAD + code + CONTRIBUTE.replace("ROUTER", "open_router"))


@pytest.mark.parametrize("path", ["/good/mine", "/other", "/badly", "/"])
def test_a_route_outside_its_prefix_is_refused(judge: Judge, path: str) -> None:
    code = f'router = APIRouter(dependencies=[public("why")])\n@router.get("{path}")  # here\nasync def f(): ...'
    line = f"bad: check: the route {path} lies outside /bad ({{here}}); move it, or grant `prefixes`"
    judge(line, HEAD + code + CONTRIBUTE.replace("ROUTER", "router"))


@pytest.mark.parametrize(
    ("one", "two", "shape"),
    [
        ("/x", "/x", "/api/v1/bad/x"),
        ("/{a}", "/{b}", "/api/v1/bad/{}"),
        ("/{a}", "/{b:str}", "/api/v1/bad/{}"),
        ("/{a:int}/x", "/{b:int}/x", "/api/v1/bad/{:int}/x"),
    ],
)
def test_two_routes_of_one_shape_are_refused(judge: Judge, one: str, two: str, shape: str) -> None:
    code = (
        f'@open_router.get("{one}")  # here\nasync def f(): ...\n@open_router.get("{two}")  # there\nasync def g(): ...'
    )
    what = f"the route GET {shape} is twice its own, at {{# there}}"
    judge(
        f"bad: check: {what} ({{here}}); rename one of them", HEAD + code + CONTRIBUTE.replace("ROUTER", "open_router")
    )


@pytest.mark.parametrize(
    ("code", "kind", "cure"),
    [
        ('routes.append(Host("bad.example", Starlette()))', "Host", "use an APIRouter's own decorators"),
        ('frontend("/", directory="/")', "a frontend", "mount StaticFiles"),
    ],
)
def test_a_kind_of_route_that_is_not_known_is_refused(judge: Judge, code: str, kind: str, cure: str) -> None:
    line = f"bad: check: {kind} is a kind of route that is not known here ({{# made}}); {cure}"
    judge(line, f"{HEAD}open_router.{code}" + CONTRIBUTE.replace("ROUTER", "open_router"))


@pytest.mark.parametrize("guard", ["require_capabilities()", "require_roles()"])
def test_a_guard_that_asks_for_nothing_is_refused(judge: Judge, guard: str) -> None:
    what = f"TypeError: {guard} needs at least one name; use signed_in for everybody who is signed in"
    line = f"bad: import: {what} ({{here}}); mend the plugin, or disable it with: vinc plugins disable bad"
    judge(line, HEAD + f"GUARD = {guard}  # here")
