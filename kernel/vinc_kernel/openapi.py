"""One OpenAPI document a plugin, made once; an application's document is their union.

So the names of schemas and operations never depend on which other plugins run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from .endpoints import Endpoint
from .permissions import Requirement
from .tokens.issuer import SignIn

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
CONTENT = {"application/problem+json": {"schema": {"$ref": f"{SCHEMA_AT}Problem"}}}
BEARER = "token"  # the name of a security scheme
PROBLEM_RESPONSE = {"$ref": "#/components/responses/Problem"}


def credentials(sign_ins: Iterable[SignIn]) -> dict[str, dict[str, Any]]:
    """Return the security schemes: a bearer token, and a flow for each issuer that lets users sign in."""
    schemes: dict[str, dict[str, Any]] = {BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    for number, one in enumerate(sign_ins, 1):
        flow = {"tokenUrl": one.token_url, "scopes": {}}
        flows = {"password": flow}
        if one.flow == "code":
            flows = {"authorizationCode": flow | {"authorizationUrl": one.authorization_url}}
        schemes[f"sign-in-{number}"] = {"type": "oauth2", "flows": flows}
    return schemes


def join(
    parts: Iterable[Mapping[str, Any]], *, version: str, tenant_header: str, schemes: dict[str, dict[str, Any]]
) -> bytes:
    """Return the document of an application, from those of its plugins; `schemes` are those of `credentials`."""
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
            "responses": {"Problem": {"description": "A problem.", "content": CONTENT}},
            "securitySchemes": schemes | {"tenant": {"type": "apiKey", "in": "header", "name": tenant_header}},
        },
    }
    return json.dumps(document, separators=(",", ":")).encode()


def part(plugin: str, endpoints: Iterable[Endpoint], schemes: Sequence[str]) -> dict[str, Any]:
    """Return the paths and schemas of one plugin; its models are called `<plugin>.<Model>`."""
    chosen = [one for one in endpoints if isinstance(one.route, APIRoute) and one.route.include_in_schema]
    document = get_openapi(title=plugin, version="1", routes=[one.route for one in chosen])
    text = json.dumps(document).replace(f'"{SCHEMA_AT}', f'"{SCHEMA_AT}{plugin}.')
    renamed: dict[str, Any] = json.loads(text)
    unused = {"HTTPValidationError", "ValidationError"}
    schemas = renamed.get("components", {}).get("schemas", {})
    needs = {(one.path_format, method.lower()): one.requirement for one in chosen for method in one.methods}
    for path, item in renamed["paths"].items():
        for method, operation in item.items():
            describe(operation, needs[path, method], schemes)
    return {
        "paths": renamed["paths"],
        "schemas": {f"{plugin}.{name}": schema for name, schema in schemas.items() if name not in unused},
    }


def describe(operation: dict[str, Any], needs: Requirement, schemes: Sequence[str]) -> None:
    """Add the problems that may come, and what a caller must send."""
    responses = operation.setdefault("responses", {})
    if "HTTPValidationError" in json.dumps(responses.get("422", {})):
        del responses["422"]
    for status, response in responses.items():
        if status.startswith(("4", "5")):  # a route's own error; the kernel may refuse before the route runs
            response["content"] = {**response.get("content", {}), **CONTENT}
    responses.setdefault("4XX", PROBLEM_RESPONSE)
    responses.setdefault("5XX", PROBLEM_RESPONSE)
    if not needs.public:
        operation["security"] = [{scheme: [], **tenant} for tenant in tenants(needs) for scheme in schemes]


def tenants(needs: Requirement) -> list[dict[str, list[str]]]:
    """Return what is sent beside a token, the usual first: a tenant, nothing, or either."""
    header: dict[str, list[str]] = {"tenant": []}
    if needs.tenant:
        return [header]
    return [{}, header] if needs.selects_tenant else [{}]
