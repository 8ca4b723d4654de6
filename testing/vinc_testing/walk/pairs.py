"""Pairs of requests that must be indistinguishable: one names what is the other tenant's, one what never existed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from vinc_kernel.database.uuid7 import uuid7

from .responses import Request
from .seeding import MARKED, PLAIN, TenantData, is_id
from .templates import RequestTemplate, Source

MISSING_TEXT = "nobody7c1e"  # in the place of a text that names a row
MISSING_DIGIT = "9"  # in the place of a number that does
NO_ETAG = '"0"'
SAFE = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class RequestPair:
    """Two requests that differ in the `theirs` and the `missing` value alone; `title` says where those are."""

    title: str
    theirs: Request
    missing: Request


@dataclass(frozen=True, slots=True)
class Location:
    """Where a request names a row: `part` is path, query or body."""

    part: str
    name: str


Values = Mapping[Location, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairBuilder:
    """All pairs for one method of one route. `etags` are those of a row of ours and one of theirs, if known."""

    method: str
    template: RequestTemplate
    ours: TenantData
    theirs: TenantData
    etags: tuple[str, ...] = ()

    def pairs(self) -> Iterator[RequestPair]:
        """Yield pairs for each location alone and for all of the path at once, with each body and condition."""
        for sources in self.sources():
            values = {location: self.theirs.value(source, MARKED) for location, source in sources.items()}
            if all(value == self.ours.value(sources[location], MARKED) for location, value in values.items()):
                continue
            missing = {location: missing_value(value) for location, value in values.items()}
            names = (*values.values(), *missing.values())
            where = ", ".join(f"{location.name} in the {location.part}" for location in values)
            for condition, headers in self.conditions():
                for kind, body in self.bodies(values):
                    requests = [
                        replace(self.request(each, body), headers=headers, names=names) for each in (values, missing)
                    ]
                    yield RequestPair(f"{where}{condition}{kind}", *requests)

    def sources(self) -> Iterator[Mapping[Location, Source]]:
        """Yield the locations that a pair changes together, each with the source of its value."""
        template = self.template
        body = template.body if isinstance(template.body, dict) else {}
        parts = {"path": template.parameters, "query": template.queries, "body": body}
        for part, values in parts.items():
            found = {Location(part, name): one for name, one in values.items() if isinstance(one, Source)}
            yield from ({location: source} for location, source in found.items())
            if part == "path" and len(found) > 1:
                yield found

    def conditions(self) -> Iterator[tuple[str, dict[str, str]]]:
        name = "If-None-Match" if self.method in SAFE else "If-Match"
        yield "", {}
        for etag in ("*", NO_ETAG, *self.etags):
            yield f", with {name}: {etag}", {name: etag}

    def bodies(self, values: Values) -> Iterator[tuple[str, bytes | None]]:
        """Yield what is sent as the body, each with a description; first None: the body itself."""
        yield "", None
        if self.template.takes_body and not any(location.part == "body" for location in values):
            for kind, body in {"broken": b"{broken", "empty": b"{}", "a list": b"[]"}.items():
                yield f", and a body that is {kind}", body

    def request(self, values: Values, body: bytes | None = None) -> Request:
        """Return our request with these values in the place of ours."""
        request = self.ours.request(self.method, self.template)
        by_part: dict[str, dict[str, str]] = {"path": {}, "query": {}, "body": {}}
        for location, value in values.items():
            by_part[location.part][location.name] = value
        if by_part["body"]:
            body = json.dumps({**self.ours.fill(self.template.body, PLAIN), **by_part["body"]}).encode()
        return replace(
            request,
            path=self.ours.path(self.template, PLAIN, **by_part["path"]),
            query={**request.query, **by_part["query"]},
            body=request.body if body is None else body,
        )

    def filtered(self) -> Iterator[RequestPair]:
        """Yield pairs that filter a list by what only the other tenant has."""
        ids = [str(rows[-1]["id"]) for rows in self.theirs.rows.values() if is_id(rows[-1].get("id"))]
        values = {"uuid": [str(self.theirs.id), *ids], "text": [self.theirs.mark]}
        for name, kind in self.template.filters.items():
            for value in values[kind]:
                yield self.by_query(name, value, missing_value(value))

    def by_query(self, name: str, value: str, missing: str) -> RequestPair:
        return self.at(Location("query", name), value, missing, f"{name}={value} in the query")

    def at(self, location: Location, value: str, missing: str, title: str) -> RequestPair:
        requests = [replace(self.request({location: one}), names=(value, missing)) for one in (value, missing)]
        return RequestPair(title, *requests)

    def forged(self) -> Iterator[RequestPair]:
        """Yield pairs whose body says which row, or whose, although it has no such field."""
        if not isinstance(self.template.body, dict):
            return
        rows = self.theirs.rows.get(self.template.shape, [])
        ids = [("tenant_id", str(self.theirs.id))]
        ids += [("id", str(row["id"])) for row in rows[:1] if is_id(row.get("id"))]
        for name, value in ids:
            yield self.at(Location("body", name), value, missing_value(value), f"{name} in a body that has none")

    def selected(self, header: str) -> Iterator[RequestPair]:
        """Yield pairs that name the tenant in the header that selects one."""
        for value in (str(self.theirs.id), self.theirs.slug):
            missing = missing_value(value)
            requests = [
                replace(self.request({}), headers={header: one}, names=(value, missing)) for one in (value, missing)
            ]
            yield RequestPair(f"{value!r} in {header}", *requests)


def missing_value(value: str) -> str:
    """Return a value of the same kind and length that nobody has: a response that repeats it is as long."""
    if is_id(value):
        return str(uuid7())
    pattern = MISSING_DIGIT if value.isdecimal() else MISSING_TEXT
    return (pattern * len(value))[: len(value)]
