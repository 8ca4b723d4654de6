"""Starlette's CORS; a refused preflight is a problem document."""

from __future__ import annotations

import json

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from ..errors import BadRequest
from ..settings import CorsSettings

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ALLOWED = ("Authorization", "Content-Type", "If-Match", "If-None-Match", "X-Request-ID")
EXPOSED = ("ETag", "Link", "Location", "Retry-After", "X-Request-ID")


class ProblemCors(CORSMiddleware):
    """Starlette's CORS with the headers of the pipeline."""

    def __init__(self, app: ASGIApp, settings: CorsSettings, tenant_header: str) -> None:
        super().__init__(
            app,
            allow_origins=settings.origins,
            allow_credentials=settings.credentials,
            allow_methods=METHODS,
            allow_headers=(*ALLOWED, tenant_header),
            expose_headers=EXPOSED,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code < BadRequest.status:
            return response
        body = json.dumps(
            {"type": BadRequest.type, "title": BadRequest.title, "status": 400, "detail": "Refused by CORS."}
        )
        headers = {name: value for name, value in response.headers.items() if name.startswith(("access-", "vary"))}
        return Response(body, 400, headers, media_type="application/problem+json")
