"""The kernel's own endpoints: the OpenAPI document and Swagger UI, whose assets come from a package."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from .context import context_of
from .endpoints import Endpoint
from .fastapi_adapter import route_app
from .handling import handle_other
from .permissions import Requirement
from .static_content import StaticContent
from .tokens.issuer import SignIn

if TYPE_CHECKING:
    from .app import Application

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
# An issuer redirects the browser here with a code (RFC 6749, 4.1.2); Swagger UI waits for it in the opener.
SIGNED_IN = """
const flow = window.opener.swaggerUIRedirectOauth2, params = new URLSearchParams(location.search);
const fail = (message) => flow.errCb({authId: flow.auth.name, source: "auth", level: "error", message});
if (params.get("state") !== flow.state) {
  fail("The state does not match.");
} else if (params.get("code")) {
  flow.auth.code = params.get("code");
  flow.callback({auth: flow.auth, redirectUrl: flow.redirectUrl});
} else {
  fail(params.get("error") || "No code.");
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


def headers(sign_ins: Iterable[SignIn] = ()) -> dict[str, str]:
    """Return headers that let a page load from here only, and get tokens; Swagger UI needs inline styles and data:."""
    urls = [urlsplit(one.token_url) for one in sign_ins]
    connects = " ".join(["'self'", *sorted({f"{url.scheme}://{url.netloc}" for url in urls if url.netloc})])
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        f"connect-src {connects}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}


def documents(prefix: str, application: Application) -> Iterator[Endpoint]:
    """Yield the public endpoints that describe all others."""
    address = f"{prefix}/openapi.json"

    def openapi(request: Request) -> Response:
        return application.openapi_content(context_of(request).disabled_plugins).respond(request)

    def docs(_: Request) -> Response:
        return HTMLResponse(PAGE, headers=headers(application.sign_ins))

    def start(_: Request) -> Response:
        client = next((one.client_id for one in application.sign_ins), "")
        return script(START % (json.dumps(address), DOCS, json.dumps(client)))

    yield kernel_endpoint(address, openapi, by_tenant=True)
    yield kernel_endpoint(DOCS, docs)
    yield kernel_endpoint(f"{DOCS}/start.js", start)
    yield kernel_endpoint(f"{DOCS}/signed-in", lambda _: HTMLResponse(SIGNED_IN_PAGE, headers=headers()))
    yield kernel_endpoint(f"{DOCS}/signed-in.js", lambda _: script(SIGNED_IN))
    for name in ASSETS:
        yield kernel_endpoint(f"{DOCS}/{name}", asset)


def asset(request: Request) -> Response:
    return asset_content(request.url.path.rpartition("/")[2]).respond(request)


@cache
def asset_content(name: str) -> StaticContent:
    content = files("fastapi_swagger").joinpath("resources", name).read_bytes()
    return StaticContent(content, ASSETS[name], headers() | {"Cache-Control": "public, max-age=3600"})


def script(text: str) -> Response:
    return Response(text, media_type="text/javascript", headers=headers())


def kernel_endpoint(path: str, respond: Callable[[Request], Response], *, by_tenant: bool = False) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return respond(request)

    route = Route(path, endpoint, methods=["GET"])
    return Endpoint(
        plugin="kernel",
        path=path,
        methods=frozenset({"GET", "HEAD"}),
        route=route,
        function=respond,
        requirement=Requirement(public=True, by_tenant=by_tenant, why="the description of the service"),
        app=handle_other(route_app(route)),
    )
