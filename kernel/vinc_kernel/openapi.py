"""One OpenAPI document a plugin, made once; an application's document is their union.

So the names of schemas and operations never depend on which other plugins run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from .endpoints import Endpoint
from .fastapi_adapter import dependencies_of
from .permissions import Requirement
from .rest.etags import etag_writer, if_match
from .rest.listing import ReadQuery
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
LARGEST = 2**63 - 1  # of `Integer`; FastAPI writes it as a float
BOUNDS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}
VALUES = frozenset({"const", "default", "enum", "example", "examples"})  # of their users, not of schemas
HEADERS = {
    name: {"description": text, "schema": {"type": "string"}}
    for name, text in (
        ("ETag", "Names this version, for If-Match and If-None-Match."),
        ("Link", "The next page, by RFC 8288; absent on the last one."),
        ("Location", "The path of what was created."),
    )
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


def join(parts: Iterable[Mapping[str, Any]], *, version: str, schemes: dict[str, dict[str, Any]]) -> bytes:
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
            "securitySchemes": schemes,
        },
    }
    return json.dumps(document, separators=(",", ":")).encode()


def part(plugin: str, endpoints: Iterable[Endpoint], schemes: Sequence[str], tenant_header: str) -> dict[str, Any]:
    """Return the paths and schemas of one plugin; its models are called `<plugin>.<Model>`."""
    chosen = [one for one in endpoints if isinstance(one.route, APIRoute) and one.route.include_in_schema]
    document = get_openapi(title=plugin, version="1", routes=[one.route for one in chosen])
    text = json.dumps(document).replace(f'"{SCHEMA_AT}', f'"{SCHEMA_AT}{plugin}.')
    renamed: dict[str, Any] = json.loads(text)
    unused = {"HTTPValidationError", "ValidationError"}
    schemas = renamed.get("components", {}).get("schemas", {})
    found = {(one.path_format, method.lower()): one for one in chosen for method in one.methods}
    for path, item in renamed["paths"].items():
        for method, operation in item.items():
            describe(operation, found[path, method].requirement, schemes)
            describe_headers(operation, method, found[path, method], tenant_header)
    tidy(renamed)
    named = {f"{plugin}.{name}": schema for name, schema in schemas.items() if name not in unused}
    return {
        "paths": renamed["paths"],
        "schemas": {name: {"title": class_name(name), **schema} for name, schema in named.items()},
    }


def tidy(node: Any) -> None:
    """Take out inner titles, of which generators make classes with one name, and mend what FastAPI's floats lost."""
    for part in node if isinstance(node, list) else ():
        tidy(part)
    if isinstance(node, dict):
        if isinstance(node.get("title"), str):
            del node["title"]
        if isinstance(node.get("type"), str):  # Pydantic leaves those of a validator as it calls them itself
            node.update({BOUNDS[key]: node.pop(key) for key in BOUNDS.keys() & node.keys()})
        if node.get("type") == "integer":
            node.update({key: min(int(node[key]), LARGEST) for key in ("minimum", "maximum") if key in node})
        for key, part in node.items():
            if key not in VALUES:
                tidy(part)


def class_name(name: str) -> str:
    """Return a name that no other plugin's schema has, as a class of a generated client: `FilmsPageItemOut`."""
    return "".join(word[:1].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", name))


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
    operation["security"] = [] if needs.public else [{scheme: []} for scheme in schemes]


def describe_headers(operation: dict[str, Any], method: str, endpoint: Endpoint, tenant_header: str) -> None:
    """Add the headers that the kernel reads and writes."""
    calls = [one.call for one in dependencies_of(endpoint.route)]
    parameters = operation.setdefault("parameters", [])
    for one in parameters if if_match in calls else ():
        if one["name"] == "If-Match":  # it is optional for FastAPI, so that its absence is 428
            one.update(required=True, schema={"type": "string"})
    if endpoint.requirement.selects_tenant:
        text = "The tenant, by its id or slug; may be left out by whoever has exactly one."
        parameters.append(header_parameter(tenant_header, text))
    is_tagged = etag_writer in calls
    if is_tagged and method == "get":
        parameters.append(header_parameter("If-None-Match", "The ETag that you have: 304 if it is still the one."))
        operation["responses"]["304"] = {"description": "It is as you have it."}
    if not parameters:
        del operation["parameters"]
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            is_list = any(isinstance(call, ReadQuery) for call in calls)
            names = ["ETag"] * is_tagged + ["Location"] * (is_tagged and status == "201") + ["Link"] * is_list
            response.setdefault("headers", {}).update({name: HEADERS[name] for name in names})
            if not response["headers"]:
                del response["headers"]


def header_parameter(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": description}
