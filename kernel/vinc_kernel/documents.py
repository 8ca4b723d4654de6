"""The kernel's own addresses: the OpenAPI document and, from assets in a package, Swagger UI."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from importlib.resources import files
from typing import Protocol
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from .context import context_of
from .endpoints import Endpoint
from .fastapi_adapter import route_app
from .handling import handle_other
from .permissions import Requirement
from .tokens.issuer import SignIn

DOCS = "/docs"
ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
HEAD = '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8"><title>Vinc</title>'
PAGE = f"""{HEAD}
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="{DOCS}/swagger-ui.css"><link rel="icon" href="{DOCS}/favicon-32x32.png">
</head>
<body><div id="swagger-ui"></div>
<script src="{DOCS}/swagger-ui-bundle.js"></script><script src="{DOCS}/start.js"></script>
</body>
</html>
"""
SIGNED_IN_PAGE = f"""{HEAD}</head>
<body><script src="{DOCS}/signed-in.js"></script></body>
</html>
"""
# An issuer sends the browser here with a code (RFC 6749, 4.1.2); Swagger UI waits for it in the window before.
SIGNED_IN = """
const waiting = window.opener.swaggerUIRedirectOauth2, given = new URLSearchParams(location.search);
const told = {auth: waiting.auth, redirectUrl: waiting.redirectUrl};
if (given.get("state") !== waiting.state) {
  waiting.errCb({authId: waiting.auth.name, source: "auth", level: "error", message: "The state is another one."});
} else if (given.get("code")) {
  waiting.auth.code = given.get("code");
  waiting.callback(told);
} else {
  waiting.errCb({authId: waiting.auth.name, source: "auth", level: "error", message: given.get("error") || "No code."});
}
window.close();
"""
START = """
const ui = SwaggerUIBundle({
  url: %s, dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null,
  oauth2RedirectUrl: location.origin + "%s/signed-in",
});
ui.initOAuth({clientId: %s, usePkceWithAuthorizationCodeGrant: true});
"""


class Described(Protocol):
    """The application, as far as its description goes."""

    def openapi(self, without: frozenset[str]) -> bytes:
        """The OpenAPI document of all plugins but these."""

    @property
    def sign_ins(self) -> list[SignIn]:
        """How people get tokens."""


def headers(sign_ins: Iterable[SignIn] = ()) -> dict[str, str]:
    """Everything comes from here, but tokens; Swagger UI sets styles on elements and draws its icons from data:."""
    urls = [urlsplit(one.token_url) for one in sign_ins]
    connects = " ".join(["'self'", *sorted({f"{url.scheme}://{url.netloc}" for url in urls if url.netloc})])
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        f"connect-src {connects}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}


def documents(prefix: str, described: Described) -> Iterator[Endpoint]:
    """The public endpoints that describe all others."""
    address = f"{prefix}/openapi.json"

    async def openapi(request: Request) -> Response:
        return Response(described.openapi(context_of(request).disabled_plugins), media_type="application/json")

    async def docs(_: Request) -> Response:
        return HTMLResponse(PAGE, headers=headers(described.sign_ins))

    async def start(_: Request) -> Response:
        client = next((one.client_id for one in described.sign_ins), "")
        return script(START % (json.dumps(address), DOCS, json.dumps(client)))

    async def signed_in(_: Request) -> Response:
        return HTMLResponse(SIGNED_IN_PAGE, headers=headers())

    async def signed_in_script(_: Request) -> Response:
        return script(SIGNED_IN)

    async def asset(request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        content = files("fastapi_swagger").joinpath("resources", name).read_bytes()
        caching = {"Cache-Control": "public, max-age=3600"}
        return Response(content, media_type=ASSETS[name], headers=headers() | caching)

    yield kernel_endpoint(address, openapi, by_tenant=True)
    yield kernel_endpoint(DOCS, docs)
    yield kernel_endpoint(f"{DOCS}/start.js", start)
    yield kernel_endpoint(f"{DOCS}/signed-in", signed_in)
    yield kernel_endpoint(f"{DOCS}/signed-in.js", signed_in_script)
    for name in ASSETS:
        yield kernel_endpoint(f"{DOCS}/{name}", asset)


def script(text: str) -> Response:
    return Response(text, media_type="text/javascript", headers=headers())


def kernel_endpoint(path: str, function: Callable[[Request], object], *, by_tenant: bool = False) -> Endpoint:
    route = Route(path, function, methods=["GET"])
    return Endpoint(
        plugin="kernel",
        path=path,
        methods=frozenset({"GET", "HEAD"}),
        route=route,
        function=function,
        requirement=Requirement(public=True, by_tenant=by_tenant, why="the description of the service"),
        app=handle_other(route_app(route)),
    )
