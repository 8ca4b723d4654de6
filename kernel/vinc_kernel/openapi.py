"""One OpenAPI document a plugin, made once; an application's document is their union.

So the names of schemas and operations never depend on which other plugins run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, RouteContext

from .endpoints import Endpoint
from .guards import Requirement

TITLE, SCHEMA_AT = "Vinc", "#/components/schemas/"
FAULT = {
    "type": "object",
    "required": ["in", "pointer", "code", "message"],
    "properties": {
        "in": {"type": "string", "enum": ["body", "query", "path", "header"]},
        "pointer": {"type": "string", "description": "Where in it, by RFC 6901."},
        "code": {"type": "string"},
        "message": {"type": "string"},
    },
}
PROBLEM = {
    "type": "object",
    "description": "What went wrong, by RFC 9457.",
    "required": ["type", "title", "status", "instance", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri", "examples": ["urn:vinc:problem:not-found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {"type": "array", "items": FAULT},
    },
}
RESPONSE = {
    "description": "A problem.",
    "content": {"application/problem+json": {"schema": {"$ref": f"{SCHEMA_AT}Problem"}}},
}
ANSWER = {"$ref": "#/components/responses/Problem"}


def join(parts: Iterable[Mapping[str, Any]], *, version: str, tenant_header: str) -> bytes:
    """The document of an application, from those of its plugins."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Problem": PROBLEM}
    for part in parts:
        for path, item in part["paths"].items():
            paths.setdefault(path, {}).update(item)
        schemas.update(part["schemas"])
    document = {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": version},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {"Problem": RESPONSE},
            "securitySchemes": {
                "credentials": {"type": "apiKey", "in": "header", "name": "Authorization"},
                "tenant": {"type": "apiKey", "in": "header", "name": tenant_header},
            },
        },
    }
    return json.dumps(document, separators=(",", ":")).encode()


def part(plugin: str, endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Paths and schemas of one plugin; its models are called `<plugin>.<Model>`."""
    chosen = [one for one in endpoints if isinstance(one.route, APIRoute) and one.route.include_in_schema]
    document = get_openapi(title=plugin, version="1", routes=[RouteContext(one.route) for one in chosen])
    text = json.dumps(document).replace(f'"{SCHEMA_AT}', f'"{SCHEMA_AT}{plugin}.')
    renamed: dict[str, Any] = json.loads(text)
    unused = {"HTTPValidationError", "ValidationError"}
    schemas = renamed.get("components", {}).get("schemas", {})
    needs = {(one.path_format, method.lower()): one.requirement for one in chosen for method in one.methods}
    for path, item in renamed["paths"].items():
        for method, operation in item.items():
            describe(operation, needs[path, method])
    return {
        "paths": renamed["paths"],
        "schemas": {f"{plugin}.{name}": schema for name, schema in schemas.items() if name not in unused},
    }


def describe(operation: dict[str, Any], needs: Requirement) -> None:
    """Say which problems may come, and what a caller must bring."""
    responses = operation.setdefault("responses", {})
    if "HTTPValidationError" in json.dumps(responses.get("422", {})):
        del responses["422"]
    responses.setdefault("4XX", ANSWER)
    responses.setdefault("5XX", ANSWER)
    if not needs.public:
        operation["security"] = [{"credentials": [], **({"tenant": []} if needs.tenant else {})}]
