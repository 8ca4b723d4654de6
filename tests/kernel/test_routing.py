"""The index of routes: the most specific one wins whatever the order, and it agrees with FastAPI's own router."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from fastapi import APIRouter
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import Match, Mount

from vinc_kernel import public
from vinc_kernel.endpoints import WEBSOCKET, RouteLocation, make_endpoints
from vinc_kernel.routing import Index

OPEN = public("a test asks")
SEGMENTS = ["a", "b", "1", "{x}", "{x:int}", "{x:uuid}", "{x:float}", "v{x}", "{x}.json"]
PARTS = ["a", "b", "1", "12", "1.5", "v1", "a.json", "", "%2f", "4b1c2f0e-8a55-4b52-9f6e-0d2f3a5d6c7b"]
METHODS = ["GET", "POST", "DELETE"]


def router_of(*routes: tuple[str, str]) -> APIRouter:
    """A public router with one endpoint for each method and path, told apart by its name."""
    router = APIRouter(dependencies=[OPEN])
    for method, path in routes:

        async def endpoint() -> None: ...

        router.add_api_route(path, endpoint, methods=[method], name=f"{method} {path}")
    return router


def index_of(router: APIRouter, **more: Any) -> Index:
    return Index(make_endpoints(RouteLocation(plugin="p", prefix="", **more), [router]))


def answer(index: Index, path: str, method: str = "GET") -> str | None:
    found = index.find(path, method).endpoint
    return found.route.name if found else None  # type: ignore[attr-defined]  a BaseRoute has no name, each kind has


@pytest.mark.parametrize(
    ("paths", "path", "winner"),
    [
        (["/p/export", "/p/{id}"], "/p/export", "/p/export"),
        (["/p/{id:int}", "/p/{id}"], "/p/7", "/p/{id:int}"),
        (["/p/{id:int}", "/p/{id}"], "/p/x", "/p/{id}"),
        (["/p/{id:int}", "/p/{id:float}"], "/p/7", "/p/{id:int}"),
        (["/p/v{id}", "/p/{id}"], "/p/v7", "/p/v{id}"),
        (["/p/{id}", "/p/{rest:path}"], "/p/x", "/p/{id}"),
        (["/p/{id}", "/p/{rest:path}"], "/p/x/y", "/p/{rest:path}"),
        (["/p/{rest:path}/edit", "/p/{rest:path}"], "/p/x/y/edit", "/p/{rest:path}/edit"),
        (["/p/a/{x}", "/p/{x}/b"], "/p/a/b", "/p/a/{x}"),
        (["/p/{x}/b", "/p/{x}/{y}"], "/p/a/b", "/p/{x}/b"),
        (["/p/{x}-{y}", "/p/{x}.{y}", "/p/{x}"], "/p/a-b.c", "/p/{x}-{y}"),
        (["/p/a", "/p/{x:path}", "/p/{x}", "/p/{x:int}"], "/p/1", "/p/{x:int}"),
    ],
)
def test_the_most_specific_route_wins_whatever_the_order(paths: list[str], path: str, winner: str) -> None:
    for order in permutations(paths):
        assert answer(index_of(router_of(*(("GET", one) for one in order))), path) == f"GET {winner}"


def test_a_method_that_the_most_specific_route_lacks_goes_to_the_next() -> None:
    index = index_of(router_of(("GET", "/p/export"), ("POST", "/p/{id}")))

    assert answer(index, "/p/export", "POST") == "POST /p/{id}"
    assert answer(index, "/p/export", "HEAD") == "GET /p/export"
    assert index.find("/p/export", "DELETE").allowed() == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize(
    "path",
    [
        "/p/" + "9" * 5000,  # int() refuses more than 4,300 digits
        "/p/12\n",  # `$` would let a newline through
        "/p/literal\n",
        "/p/12/",
        "//p/12",
        "/p//12",
        "p/12",
        "",
        "/",
        "/p",
        "/P/12",
        "/p/١٢",
    ],
)
def test_what_is_not_the_path_is_not_found(path: str) -> None:
    index = index_of(router_of(("GET", "/p/{id:int}"), ("GET", "/p/literal"), ("GET", "/p/{a:int}/x")))
    match = index.find(path, "GET")

    assert (match.endpoint, match.allowed()) == (None, frozenset())


def test_parameters_are_converted() -> None:
    index = index_of(router_of(("GET", "/p/{number:int}/{text}/{rest:path}")))

    assert index.find("/p/7/a%20b/c/d", "GET").params == {"number": 7, "text": "a%20b", "rest": "c/d"}


def test_a_mount_answers_what_no_route_answers() -> None:
    router = router_of(("GET", "/p/app/own"))

    async def inner(scope: Any, receive: Any, send: Any) -> None: ...

    router.routes.append(Mount("/p/app", inner, name="mount"))
    index = index_of(router)

    assert answer(index, "/p/app/own") == "GET /p/app/own"
    assert answer(index, "/p/app/else/where", "PATCH") == "mount"
    assert answer(index, "/p/app/", WEBSOCKET) == "mount"
    assert answer(index, "/p/app") is None


PATHS = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=3).map(lambda parts: "/".join(["/p", *parts]))
TABLES = st.lists(st.tuples(st.sampled_from(METHODS), PATHS), min_size=1, max_size=12, unique=True)
REQUESTS = st.lists(
    st.tuples(
        st.sampled_from([*METHODS, "HEAD"]), st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map("/".join)
    ),
    min_size=1,
    max_size=30,
)


@settings(deadline=None, max_examples=150)
@given(table=TABLES, requests=REQUESTS)
def test_it_agrees_with_fastapi_where_order_decides_nothing(
    table: list[tuple[str, str]], requests: list[tuple[str, str]]
) -> None:
    table = [(method, unique_names(path)) for method, path in table]
    router = router_of(*table)
    index = index_of(router)
    for method, rest in requests:
        path = f"/p/{rest}"
        # FastAPI's route for GET does not take HEAD; ours does, as RFC 9110 asks.
        scope = {"type": "http", "path": path, "method": "GET" if method == "HEAD" else method, "headers": []}
        matches = {route.name: route.matches(dict(scope)) for route in router.routes}  # type: ignore[attr-defined]
        full = {name for name, (match, _) in matches.items() if match is Match.FULL}
        found = index.find(path, method)
        mine = answer(index, path, method)

        assert (mine is None) == (not full)
        assert mine is None or mine in full
        if len(full) == 1:
            assert mine == min(full)
            assert dict(found.params) == matches[min(full)][1]["path_params"]
        if not full:
            partial = {name.partition(" ")[0] for name, (match, _) in matches.items() if match is Match.PARTIAL}
            assert found.allowed() == partial | ({"HEAD"} if "GET" in partial else set())


@settings(deadline=None, max_examples=100)
@given(table=TABLES, requests=REQUESTS, random=st.randoms(use_true_random=False))
def test_order_decides_nothing(table: list[tuple[str, str]], requests: list[tuple[str, str]], random: Any) -> None:
    table = [(method, unique_names(path)) for method, path in table]
    shuffled = random.sample(table, len(table))
    one, other = index_of(router_of(*table)), index_of(router_of(*shuffled))
    for method, rest in requests:
        assert answer(one, f"/p/{rest}", method) == answer(other, f"/p/{rest}", method)


def unique_names(path: str) -> str:
    """A path may not name two parameters alike."""
    parts = path.split("/")
    return "/".join(part.replace("{x", f"{{x{number}") for number, part in enumerate(parts))
