"""Request templates, read from OpenAPI descriptions: bodies by their examples, parameters by their sources.

A value that exists only once something was created has a source: `x-vinc-source: /invoices` in its schema is the `id`
of a row that `POST /invoices` (or, where there is none, `GET /invoices`) returned, `/invoices#number` another field of
it. The source of a path parameter is the collection before it, unless its schema names another one.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from vinc_kernel.endpoints import Endpoint
from vinc_kernel.errors import VincError

SOURCE, JSON = "x-vinc-source", "application/json"
PAGED = frozenset({"cursor", "limit"})
NO_FILTERS = PAGED | {"order_by"}
parameter = re.compile(r"{([^}:]+)(?::[^}]+)?}")
DESCRIBE_BODY = (
    "give its model an example: model_config = ConfigDict(json_schema_extra={'examples': [{...}]}), or its fields: "
    "Field(examples=[...]); one that names something else that must exist: Field(json_schema_extra={'x-vinc-source': "
    "'/customers'})"
)
DESCRIBE_PARAMETER = (
    "say where its values come from: Path(json_schema_extra={'x-vinc-source': '/customers'}), '/customers#number' for "
    "another field than `id`; or, where it names nothing that is a tenant's, Path(examples=[...])"
)


class NotDescribed(VincError, AssertionError):
    """A route cannot be called, because its OpenAPI description does not say how."""


@dataclass(frozen=True, slots=True)
class Source:
    """A value of a row in a collection: its `field`, or its `id` when that is empty."""

    collection: str
    field: str = ""

    @classmethod
    def parse(cls, text: str, prefix: str) -> Source:
        collection, _, name = text.partition("#")
        return cls(shape_of(prefix + collection), name)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTemplate:
    """How to call one route. `parameters` are those of the path: a source, or a value that fits every tenant.

    `queries` are the query parameters that are required or have a source; `filters` the others that take an id or any
    text, each with its kind: `uuid` or `text`. `pages`: it returns pages, each with the cursor of the next.
    """

    path: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    queries: Mapping[str, Any] = field(default_factory=dict)
    filters: Mapping[str, str] = field(default_factory=dict)
    pages: bool = False
    takes_body: bool = False
    body: Any = None
    free_texts: tuple[str, ...] = ()

    @property
    def shape(self) -> str:
        return shape_of(self.path)

    def sources(self) -> Iterator[Source]:
        """Yield what must exist before this route can be called."""
        yield from (each for each in self.parameters.values() if isinstance(each, Source))
        yield from sources_in(self.body)


def shape_of(path: str) -> str:
    """Return a path without the names of its parameters."""
    return parameter.sub("{}", path)


def paths_up(path: str) -> Iterator[str]:
    """Yield a path and those that it is below, the longest first."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def sources_in(value: Any) -> Iterator[Source]:
    if isinstance(value, Source):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from sources_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from sources_in(each)


def read_template(endpoint: Endpoint, method: str, prefix: str) -> RequestTemplate:
    """Return how to call this route; raises NotDescribed when nothing says with which body or path."""
    where = f"{method} {endpoint.path}"
    operation, schemas = operation_of(endpoint, method)
    reader = SchemaReader(schemas, prefix, where)
    declared = operation.get("parameters", [])
    media = operation.get("requestBody", {}).get("content", {}).get(JSON)
    schema = reader.resolve((media or {}).get("schema", {}))
    return RequestTemplate(
        path=parameter.sub(r"{\1}", endpoint.path),
        parameters=dict(reader.parameters(endpoint.path, [one for one in declared if one["in"] == "path"])),
        queries=dict(reader.queries(in_query := [one for one in declared if one["in"] == "query"])),
        filters=dict(reader.filters(in_query)),
        pages={one["name"] for one in in_query} >= PAGED,
        takes_body=media is not None,
        body=reader.body(media) if media is not None else None,
        free_texts=tuple(name for name, one in schema.get("properties", {}).items() if reader.is_free_text(one)),
    )


def operation_of(endpoint: Endpoint, method: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return its part of the OpenAPI document, also where it is left out of that, and the schemas."""
    if not isinstance(endpoint.route, APIRoute):
        return {}, {}
    route = copy.copy(endpoint.route)
    route.include_in_schema = True
    document = get_openapi(title="", version="", routes=[route])
    (item,) = document["paths"].values()
    return item.get(method.lower(), {}), document.get("components", {}).get("schemas", {})


@dataclass(frozen=True, slots=True)
class SchemaReader:
    """Reads examples and sources from schemas."""

    schemas: Mapping[str, Any]
    prefix: str
    where: str

    def resolve(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return the schema that a reference leads to; keywords beside the reference take precedence."""
        found = dict(schema)
        while (reference := found.pop("$ref", None)) is not None:
            found = {**self.schemas[reference.rpartition("/")[2]], **found}
        if len(parts := found.get("allOf", ())) == 1:
            found = {**self.resolve(parts[0]), **found}
        return found

    def parameters(self, path: str, declared: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
        schemas = {one["name"]: {**one.get("schema", {}), **examples_of(one)} for one in declared}
        for matched in parameter.finditer(path):
            name, before = matched[1], path[: matched.start()].rstrip("/")
            schema = self.resolve(schemas.get(name, {}))
            if SOURCE in schema:
                yield name, Source.parse(schema[SOURCE], self.prefix)
            elif "examples" in schema or "example" in schema or "enum" in schema:
                yield name, self.example(schema, name)
            elif before in ("", self.prefix):
                raise NotDescribed(f"{self.where}: nothing says what {{{name}}} may be; {DESCRIBE_PARAMETER}")
            else:
                yield name, Source(shape_of(before), name)

    def queries(self, declared: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
        """Yield the query parameters that are required, and those that have a source."""
        for one in declared:
            schema = self.resolve({**one.get("schema", {}), **examples_of(one)})
            if SOURCE in schema:
                yield one["name"], Source.parse(schema[SOURCE], self.prefix)
            elif one.get("required"):
                yield one["name"], self.example(schema, one["name"])

    def filters(self, declared: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
        """Yield the kinds of the optional parameters that filter a list by a value of its rows."""
        for one in declared:
            schema = self.single(one.get("schema", {}))
            if schema.get("type") == "array":
                schema = self.single(schema.get("items", {}))
            if one["name"] in NO_FILTERS or one.get("required") or SOURCE in schema:
                continue
            if schema.get("format") == "uuid":
                yield one["name"], "uuid"
            elif self.is_free_text(schema):
                yield one["name"], "text"

    def body(self, media: Mapping[str, Any]) -> Any:
        if "example" in media:
            return media["example"]
        for one in media.get("examples", {}).values():
            return one.get("value")
        return self.example(media.get("schema", {}), "")

    def example(self, given: Mapping[str, Any], pointer: str) -> Any:
        """Return a valid value; raises NotDescribed."""
        schema = self.resolve(given)
        if SOURCE in schema:
            return Source.parse(schema[SOURCE], self.prefix)
        if candidates := [*examples_of(schema).get("examples", ()), *few_values_of(schema)]:
            return self.with_sources(copy.deepcopy(candidates[0]), schema)
        if "properties" in schema and (members := dict(self.members(schema, pointer))):
            return members
        for one in [*schema.get("anyOf", ()), *schema.get("oneOf", ())]:
            try:
                return self.example(one, pointer)
            except NotDescribed:
                continue
        cure = DESCRIBE_BODY if pointer.startswith("/") or not pointer else DESCRIBE_PARAMETER
        raise NotDescribed(f"{self.where}: there is no example of {pointer or 'its body'}; {cure}")

    def members(self, schema: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, Any]]:
        """Yield the fields that are required or have an example; a default of null is often no valid value."""
        for name, one in schema["properties"].items():
            field = self.resolve(one)
            if name in schema.get("required", ()) or SOURCE in field or examples_of(field):
                yield name, self.example(one, f"{pointer}/{name}")

    def with_sources(self, value: Any, schema: Mapping[str, Any]) -> Any:
        """Replace the fields of an example that have a source: an example cannot know ids."""
        if isinstance(value, dict):
            for name, one in schema.get("properties", {}).items():
                if name in value and SOURCE in (field := self.resolve(one)):
                    value[name] = Source.parse(field[SOURCE], self.prefix)
        return value

    def single(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the schema, or that of its only alternative to null."""
        schema = self.resolve(given)
        options = [self.resolve(one) for one in schema.get("anyOf", ()) if one.get("type") != "null"]
        return {**schema, **options[0]} if len(options) == 1 else schema

    def is_free_text(self, given: Mapping[str, Any]) -> bool:
        """Return whether a client may send any text there, so that a mark fits."""
        schema = self.single(given)
        bound = {"enum", "const", "format", "pattern", SOURCE} & schema.keys()
        return schema.get("type") == "string" and not bound and schema.get("maxLength", LONG_ENOUGH) >= LONG_ENOUGH


LONG_ENOUGH = 24


def few_values_of(schema: Mapping[str, Any]) -> list[Any]:
    """Return the values of a schema that has so few that it needs no example."""
    if "const" in schema or "default" in schema:
        return [schema.get("const", schema.get("default"))]
    return [True] if schema.get("type") == "boolean" else list(schema.get("enum", ()))


def examples_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `examples` of a schema if there are any; OpenAPI's parameters have theirs by name."""
    found = schema.get("examples", [schema["example"]] if "example" in schema else [])
    if isinstance(found, dict):
        found = [one["value"] for one in found.values() if "value" in one]
    return {"examples": found} if found else {}
