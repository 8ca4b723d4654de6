"""What one tenant has before a route is walked: two rows of each resource, made by asking its own routes.

The first of the two is made of the examples as they are, in every tenant alike, as keys must not see each other; in the
second one each free text carries a mark of the tenant, so that it is recognised wherever it turns up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from vinc_kernel.endpoints import Endpoint

from .answers import Answer, Question
from .described import Described, Source

COPIES = (FIRST, MARKED) = (0, 1)
LISTS = ("items", "data", "results")  # where a page has its rows


class NotExercised(AssertionError):
    """A route could not be target, or did not do what its description says."""


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One method of one route, and how to ask it."""

    endpoint: Endpoint
    method: str
    described: Described

    @property
    def where(self) -> str:
        return f"{self.method} {self.endpoint.path}"


class Ask(Protocol):
    """Ask as somebody of this tenant who may ask that route."""

    async def __call__(self, planted: Planted, target: Target, question: Question, /) -> Answer: ...


@dataclass(slots=True, kw_only=True)
class Planted:
    """One tenant and its rows: by collection the answers to those that made them."""

    tenant: UUID
    slug: str
    mark: str
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    answers: dict[str, list[Answer]] = field(default_factory=dict)

    def value(self, source: Source, copy: int) -> str:
        """What a row has in a field; raises NotExercised where there is no such row or field."""
        rows = self.rows.get(source.collection)
        if not rows:
            raise NotExercised(f"nothing of {source.collection} could be made or listed")
        row = rows[min(copy, len(rows) - 1)]
        found = row.get(source.field, row.get("id")) if source.field else row.get("id")
        if found is None:
            raise NotExercised(f"{source.collection} answers no {source.field or 'id'}")
        return str(found)

    def filled(self, value: Any, copy: int) -> Any:
        """An example with this tenant's rows where it names some."""
        if isinstance(value, Source):
            return self.value(value, copy)
        if isinstance(value, dict):
            return {name: self.filled(each, copy) for name, each in value.items()}
        if isinstance(value, list):
            return [self.filled(each, copy) for each in value]
        return value

    def path(self, described: Described, copy: int, **other: str) -> str:
        """The path of a route with this tenant's rows in it, or with what is given instead."""
        values = {name: str(self.filled(each, copy)) for name, each in described.parameters.items()}
        return described.path.format(**{**values, **other})

    def body(self, described: Described, copy: int) -> bytes | None:
        if not described.takes_body:
            return None
        return json.dumps(self.filled(described.body, copy)).encode()

    def marked_bodies(self, described: Described) -> Iterator[bytes | None]:
        """The body with as many marks as it takes: in all free texts, then in each alone, then in none."""
        body = self.filled(described.body, MARKED)
        if not described.takes_body or not isinstance(body, dict):
            yield self.body(described, MARKED)
            return
        names = described.free_texts
        for chosen in [names, *((name,) for name in names if len(names) > 1), ()]:
            yield json.dumps({**body, **dict.fromkeys(chosen, self.mark)}).encode()

    def query(self, described: Described, copy: int) -> Mapping[str, str]:
        """The parameters of the query that name no row: those that must be there."""
        return {name: str(self.filled(each, copy)) for name, each in described.queries.items()}

    def secrets(self) -> set[str]:
        """What nobody of another tenant may ever read: ids, slug, marks."""
        values = {str(value) for rows in self.rows.values() for row in rows for value in row.values() if is_id(value)}
        return values | {str(self.tenant), self.slug, self.mark}


def is_id(value: Any) -> bool:
    try:
        return bool(UUID(str(value)))
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Garden:
    """The routes by which rows come to be: those that add one to a collection, and, by collection, those that list."""

    creators: Sequence[Target]
    lists: Mapping[str, Target]

    async def plant(self, planted: Planted, ask: Ask) -> None:
        """Make two rows of each collection, parents first."""
        waiting = list(self.creators)
        while waiting:
            ready = [one for one in waiting if all(each.collection in planted.rows for each in one.described.sources())]
            for one in ready or waiting[:1]:
                await self.look_up(planted, ask, one.described)
                await create(planted, ask, one)
            waiting = [one for one in waiting if one.where not in planted.answers]

    async def look_up(self, planted: Planted, ask: Ask, wanted: Described) -> None:
        """List the rows of the collections that this route needs and that nothing makes."""
        for source in wanted.sources():
            listed = self.lists.get(source.collection)
            if source.collection in planted.rows or listed is None:
                continue
            path, query = planted.path(listed.described, FIRST), planted.query(listed.described, FIRST)
            answer = await ask(planted, listed, Question(method="GET", path=path, query=query))
            if answer.is_done and (rows := rows_of_page(json_of(answer))):
                planted.rows[source.collection] = rows


async def create(planted: Planted, ask: Ask, creator: Target) -> None:
    described = creator.described
    answers: list[Answer] = []
    planted.answers[creator.where] = answers
    for copy in COPIES:
        bodies = planted.marked_bodies(described) if copy == MARKED else [planted.body(described, FIRST)]
        for body in bodies:
            path, query = planted.path(described, copy), planted.query(described, copy)
            answer = await ask(planted, creator, Question(method="POST", path=path, query=query, body=body))
            if answer.is_done:
                break
        answers.append(answer)
    made = [row for answer in answers if answer.is_done and isinstance(row := json_of(answer), dict)]
    if made:
        planted.rows[described.shape] = made


def json_of(answer: Answer) -> Any:
    try:
        return json.loads(answer.text)
    except ValueError:
        return None


def rows_of_page(page: Any) -> list[dict[str, Any]]:
    """The rows of a list, or of a page that has them under a name."""
    if isinstance(page, dict):
        page = next((page[name] for name in LISTS if isinstance(page.get(name), list)), [])
    return [row for row in page if isinstance(row, dict)] if isinstance(page, list) else []
