"""Pairs of requests that must not be told apart: one names what is the other tenant's, one what was never there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vinc_kernel.database.uuid7 import uuid7

from .answers import Question
from .described import Described, Source
from .planted import FIRST, MARKED, Planted, is_id

STRANGER = "nobody7c1e"  # in the place of a text that names a row
FAR_AWAY = "9"  # the digits of a number that does
NO_ETAG = '"0"'
SAFE = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Pair:
    """`what` says in words what the two name."""

    what: str
    theirs: Question
    nobodys: Question


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a request a value of a row stands: in its `path`, its `query` or its `body`, under this name."""

    part: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """All pairs for one method of one route. `etags` are of rows of ours and theirs, where they are known."""

    method: str
    described: Described
    ours: Planted
    theirs: Planted
    etags: tuple[str, ...] = ()

    def pairs(self) -> Iterator[Pair]:
        """In each place alone, and in all of the path at once; with each body and each condition."""
        for places in self.chosen_places():
            values = {place: self.value_of_theirs(place) for place in places}
            if all(value in (None, self.value_of_ours(place)) for place, value in values.items()):
                continue
            theirs = {place: value for place, value in values.items() if value is not None}
            nobodys = {place: unknown(value) for place, value in theirs.items()}
            about = (*theirs.values(), *nobodys.values())
            for what, headers in self.conditions():
                for how, bodies in self.bodies(theirs, nobodys):
                    named = ", ".join(f"{place.name} in the {place.part}" for place in theirs)
                    yield Pair(
                        f"{named}{what}{how}",
                        self.question(theirs, headers, bodies[0], about),
                        self.question(nobodys, headers, bodies[1], about),
                    )

    def chosen_places(self) -> Iterator[list[Place]]:
        parameters = [Place("path", name) for name, one in self.described.parameters.items() if isinstance(one, Source)]
        yield from ([place] for place in parameters)
        if len(parameters) > 1:
            yield parameters
        yield from ([Place("query", name)] for name, one in self.described.queries.items() if isinstance(one, Source))
        if isinstance(self.described.body, dict):
            yield from ([Place("body", name)] for name, one in self.described.body.items() if isinstance(one, Source))

    def source(self, place: Place) -> Source:
        held: Mapping[str, Any] = {
            "path": self.described.parameters,
            "query": self.described.queries,
            "body": self.described.body,
        }[place.part]
        source: Source = held[place.name]
        return source

    def value_of_theirs(self, place: Place) -> str | None:
        return self.theirs.value(self.source(place), MARKED)

    def value_of_ours(self, place: Place) -> str | None:
        return self.ours.value(self.source(place), MARKED)

    def conditions(self) -> Iterator[tuple[str, dict[str, str]]]:
        name = "If-None-Match" if self.method in SAFE else "If-Match"
        yield "", {}
        for etag in ("*", NO_ETAG, *self.etags):
            yield f", with {name}: {etag}", {name: etag}

    def bodies(self, theirs: Mapping[Place, str], nobodys: Mapping[Place, str]) -> Iterator[tuple[str, Any]]:
        """What is said of the body, and the two of them; the good one first."""
        if not self.described.takes_body:
            yield "", (None, None)
            return
        yield "", (self.body(theirs), self.body(nobodys))
        if any(place.part == "body" for place in theirs):
            return
        for what, body in {"broken": b"{broken", "empty": b"{}", "a list": b"[]"}.items():
            yield f", and a body that is {what}", (body, body)

    def body(self, values: Mapping[Place, str]) -> bytes:
        made = self.ours.filled(self.described.body, FIRST)
        if isinstance(made, dict):
            made = {**made, **{place.name: value for place, value in values.items() if place.part == "body"}}
        return json.dumps(made).encode()

    def question(
        self, values: Mapping[Place, str], headers: Mapping[str, str], body: bytes | None, about: tuple[str, ...]
    ) -> Question:
        in_path = {place.name: value for place, value in values.items() if place.part == "path"}
        in_query = {place.name: value for place, value in values.items() if place.part == "query"}
        return Question(
            method=self.method,
            path=self.ours.path(self.described, FIRST, **in_path),
            query={**self.ours.query(self.described, FIRST), **in_query},
            headers=headers,
            body=body,
            about=about,
        )

    def filtered(self) -> Iterator[Pair]:
        """Lists narrowed by what only the other tenant has."""
        of_rows = [str(rows[-1]["id"]) for rows in self.theirs.rows.values() if is_id(rows[-1].get("id"))]
        values = {"uuid": [str(self.theirs.tenant), *of_rows], "text": [self.theirs.mark]}
        for name, kind in self.described.filters.items():
            for value in values[kind]:
                yield self.asked_by_query(name, value, unknown(value))

    def asked_by_query(self, name: str, value: str, other: str) -> Pair:
        questions = [
            Question(
                method=self.method,
                path=self.ours.path(self.described, FIRST),
                query={**self.ours.query(self.described, FIRST), name: each},
                about=(value, other),
            )
            for each in (value, other)
        ]
        return Pair(f"{name}={value} in the query", *questions)

    def forged(self) -> Iterator[Pair]:
        """A body that says itself whose row it is, or which."""
        body = self.ours.filled(self.described.body, FIRST) if self.described.takes_body else None
        if not isinstance(body, dict):
            return
        rows = self.theirs.rows.get(self.described.shape, [])
        ids = [("tenant_id", str(self.theirs.tenant))]
        ids += [("id", str(row["id"])) for row in rows[:1] if is_id(row.get("id"))]
        for name, value in ids:
            other = unknown(value)
            questions = [
                Question(
                    method=self.method,
                    path=self.ours.path(self.described, FIRST),
                    query=self.ours.query(self.described, FIRST),
                    body=json.dumps({**body, name: each}).encode(),
                    about=(value, other),
                )
                for each in (value, other)
            ]
            yield Pair(f"{name} in a body that has none", *questions)

    def selected(self, header: str) -> Iterator[Pair]:
        """The header that selects a tenant."""
        for value in (str(self.theirs.tenant), self.theirs.slug):
            other = unknown(value)
            questions = [
                Question(
                    method=self.method,
                    path=self.ours.path(self.described, FIRST),
                    query=self.ours.query(self.described, FIRST),
                    headers={header: each},
                    body=self.ours.body(self.described, FIRST),
                    about=(value, other),
                )
                for each in (value, other)
            ]
            yield Pair(f"{value!r} in {header}", *questions)


def unknown(value: str) -> str:
    """Of the same kind and length, and nobody's: where it is said again it makes an answer as long."""
    if is_id(value):
        return str(uuid7())
    pattern = FAR_AWAY if value.isdecimal() else STRANGER
    return (pattern * len(value))[: len(value)]
