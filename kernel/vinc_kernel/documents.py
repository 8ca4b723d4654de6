"""The kernel's own addresses: the OpenAPI document and, from assets in a package, Swagger UI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from .context import current_context
from .endpoints import Endpoint
from .guards import Requirement
from .handling import handle_other

DOCS = "/docs"
ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Vinc</title>
<link rel="stylesheet" href="{DOCS}/swagger-ui.css"><link rel="icon" href="{DOCS}/favicon-32x32.png">
</head>
<body><div id="swagger-ui"></div>
<script src="{DOCS}/swagger-ui-bundle.js"></script><script src="{DOCS}/start.js"></script>
</body>
</html>
"""
# Everything comes from here; Swagger UI sets styles on elements and draws its icons from data: addresses.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}


def documents(prefix: str, document: Callable[[frozenset[str]], bytes]) -> Iterator[Endpoint]:
    """The public endpoints that describe all others; `document` is told the plugins that are to be left out."""
    address = f"{prefix}/openapi.json"

    async def openapi(request: Request) -> Response:
        return Response(document(current_context(request).absent), media_type="application/json")

    async def docs(_: Request) -> Response:
        return HTMLResponse(PAGE, headers=HEADERS)

    async def start(_: Request) -> Response:
        script = f'SwaggerUIBundle({{url: "{address}", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null}});'
        return Response(script, media_type="text/javascript", headers=HEADERS)

    async def asset(request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        content = files("fastapi_swagger").joinpath("resources", name).read_bytes()
        caching = {"Cache-Control": "public, max-age=3600"}
        return Response(content, media_type=ASSETS[name], headers=HEADERS | caching)

    yield kernel_endpoint(address, openapi, by_tenant=True)
    yield kernel_endpoint(DOCS, docs)
    yield kernel_endpoint(f"{DOCS}/start.js", start)
    for name in ASSETS:
        yield kernel_endpoint(f"{DOCS}/{name}", asset)


def kernel_endpoint(path: str, function: Callable[[Request], object], *, by_tenant: bool = False) -> Endpoint:
    route = Route(path, function, methods=["GET"])
    return Endpoint(
        plugin="kernel",
        path=path,
        methods=frozenset({"GET", "HEAD"}),
        route=route,
        function=function,
        requirement=Requirement(public=True, by_tenant=by_tenant, why="the description of the service"),
        app=handle_other(route.app),
    )
