"""What is decided is decided on the matched route, however the path is written: raw bytes to a real uvicorn (P8)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from types import ModuleType

import pytest
from fastapi import APIRouter, FastAPI
from starlette.routing import Mount

from vinc_kernel import Contribution, hooks, public, signed_in
from vinc_kernel.app import create_app
from vinc_kernel.plugins.open import open_plugins
from vinc_kernel.settings import KernelSettings, ServiceSettings
from vinc_testing.running import plugin_of

from ..credentials import JWT, credentials
from .things import listening

router = APIRouter(prefix="/paths", dependencies=[signed_in])
shown = APIRouter(prefix="/paths/open", dependencies=[public("a test asks")])
sub = FastAPI(openapi_url=None)


@router.get("/secret")
async def secret() -> str:
    return "secret"


@router.delete("/secret")
async def forget() -> str:
    return "deleted"


@router.get("/things/{name}")
async def thing(name: str) -> str:
    return name


@router.get("/numbers/{number:int}")
async def number(number: int) -> int:
    return number


@sub.get("/deep")
async def deep() -> str:
    return "deep"


router.routes.append(Mount("/paths/app", sub))


@shown.get("")
async def open_to_all() -> str:
    return "open"


ADA = f"Authorization: {credentials('ada;viewer;')['Authorization']}"
# Nobody is signed in: 401 for the route itself, 404 for what is another path.
NOBODY = {
    "/api/v1/paths/secret": 401,
    "/api/v1/paths/secret/": 404,
    "/api/v1/paths//secret": 404,
    "//api/v1/paths/secret": 404,
    "/api/v1/paths/secret;x": 404,
    "/api/v1/paths;x/secret": 404,
    "/api/v1/paths/secret%2f": 404,
    "/api/v1/paths/secret%00": 404,
    "/api/v1/paths/secret%0a": 404,
    "/api/v1/paths/secret%20": 404,
    "/api/v1/paths/secret.": 404,
    "/api/v1/PATHS/secret": 404,
    "/api/v1/paths/./secret": 404,
    "/api/v1/paths/open/../secret": 404,
    "/api/v1/paths/open/%2e%2e/secret": 404,
    "/api/v1/paths/open/..%2fsecret": 404,
    "/api/v1/paths/open/..;/secret": 404,
    "/api/v1/paths/open": 200,
    "/api/v1/paths/open/": 404,
    "/api/v1/paths/open?/paths/secret": 200,
    "/api/v1/paths/%73ecret": 401,
    "/api/v1/paths%2fsecret": 401,
    "/api/v1/paths/things/a%2fb": 404,
    "/api/v1/paths/numbers/7": 401,
    "/api/v1/paths/numbers/7%0a": 404,
    "/api/v1/paths/app/deep": 401,
    "/api/v1/paths/app//deep": 401,
    "/api/v1/paths/app/../secret": 401,
    "http://test/api/v1/paths/secret": 401,
    "http://other/api/v1/paths/open": 200,
}


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[int]:
    """The port of a real server with these routes."""
    module = ModuleType("made_paths.plugin")
    vars(module)["contribute"] = hooks.contribute(lambda: Contribution(routers=[router, shown]))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    app = create_app(KernelSettings(service=ServiceSettings(env="test"), jwt=JWT), plugins=[plugin_of("paths", module)])
    async with AsyncExitStack() as stack:
        await open_plugins(app.assembly, app.runtime, stack)
        yield await stack.enter_async_context(listening(app))


async def ask(port: int, target: str, *headers: str, method: str = "GET") -> tuple[int, str]:
    """Status and body of the answer to these very bytes."""
    lines = [f"{method} {target} HTTP/1.1", "Host: test", "Connection: close", *headers, "", ""]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join(lines).encode("latin-1"))
    async with asyncio.timeout(10):
        answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return int(answer.split()[1]), answer.partition("\r\n\r\n")[2]


async def test_no_spelling_of_a_path_comes_in_where_the_path_does_not(port: int) -> None:
    got = {target: (await ask(port, target))[0] for target in NOBODY}

    assert got == NOBODY


async def test_who_is_signed_in_gets_the_same_route_or_none(port: int) -> None:
    expected = {
        "/api/v1/paths/secret": (200, '"secret"'),
        "/api/v1/paths/%73ecret": (200, '"secret"'),
        "/api/v1/paths%2fsecret": (200, '"secret"'),
        "http://test/api/v1/paths/secret": (200, '"secret"'),
        "/api/v1/paths/things/a;x": (200, '"a;x"'),
        "/api/v1/paths/things/%2e%2e": (200, '".."'),
        "/api/v1/paths/app/deep": (200, '"deep"'),
    }
    got = {target: await ask(port, target, ADA) for target in expected}

    assert got == expected
    assert (await ask(port, "/api/v1/paths/things/a%2fb", ADA))[0] == 404
    assert (await ask(port, "/api/v1/paths/secret/", ADA))[0] == 404


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
async def test_a_header_never_changes_the_method(port: int, name: str) -> None:
    assert await ask(port, "/api/v1/paths/secret", ADA, f"{name}: DELETE") == (200, '"secret"')
    assert (await ask(port, "/api/v1/paths/open", f"{name}: DELETE")) == (200, '"open"')


@pytest.mark.parametrize("name", ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Path"])
async def test_a_header_never_changes_the_path(port: int, name: str) -> None:
    assert await ask(port, "/api/v1/paths/open", f"{name}: /api/v1/paths/secret") == (200, '"open"')
    assert (await ask(port, "/api/v1/paths/secret", f"{name}: /api/v1/paths/open"))[0] == 401


@pytest.mark.parametrize(
    ("method", "status"),
    [("HEAD", 401), ("DELETE", 401), ("POST", 405), ("OPTIONS", 405), ("TRACE", 405), ("BREW", 405), ("get", 405)],
)
async def test_odd_methods_are_decided_on_the_route(port: int, method: str, status: int) -> None:
    got, body = await ask(port, "/api/v1/paths/secret", method=method)

    assert got in {status, 400}
    assert method != "HEAD" or not body
