"""The rows of one tenant before a route is walked: two of each resource, created by the application's own routes.

The first is made of the examples as they are, the same in every tenant, since unique keys must not span tenants; in the
second each free text carries the tenant's mark, which is recognised wherever it turns up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from uuid import UUID

from vinc_kernel.endpoints import Endpoint

from .responses import Request, Response
from .templates import RequestTemplate, Source, paths_up

COPIES = (PLAIN, MARKED) = (0, 1)
LISTS = ("items", "data", "results")  # where a page has its rows
PRECONDITION_REQUIRED = 428


class NotExercised(AssertionError):
    """A route could not be called, or did not do what its description says."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One method of one route, and the template of its requests."""

    endpoint: Endpoint
    method: str
    template: RequestTemplate

    @property
    def name(self) -> str:
        return f"{self.method} {self.endpoint.path}"


class Send(Protocol):
    """Send a request as somebody of this tenant who is allowed to call that route."""

    async def __call__(self, tenant: TenantData, operation: Operation, request: Request, /) -> Response: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantData:
    """One tenant: its rows by collection, and by operation the responses to the requests that created them."""

    id: UUID
    slug: str
    mark: str
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    responses: dict[str, list[Response]] = field(default_factory=dict)

    def value(self, source: Source, copy: int) -> str:
        """Return what a row has in a field; raises NotExercised when there is no such row or field."""
        rows = self.rows.get(source.collection)
        if not rows:
            raise NotExercised(f"nothing of {source.collection} could be created or listed")
        row = rows[min(copy, len(rows) - 1)]
        found = row.get(source.field, row.get("id")) if source.field else row.get("id")
        if found is None:
            raise NotExercised(f"{source.collection} has no {source.field or 'id'} in its rows")
        return str(found)

    def fill(self, value: Any, copy: int) -> Any:
        """Return an example with each source replaced by a value of this tenant's rows."""
        if isinstance(value, Source):
            return self.value(value, copy)
        if isinstance(value, dict):
            return {name: self.fill(each, copy) for name, each in value.items()}
        if isinstance(value, list):
            return [self.fill(each, copy) for each in value]
        return value

    def path(self, template: RequestTemplate, copy: int, **other: str) -> str:
        """Return the path of a route with this tenant's rows in it, or with the `other` values."""
        values = {name: str(self.fill(each, copy)) for name, each in template.parameters.items()}
        return template.path.format(**{**values, **other})

    def query(self, template: RequestTemplate, copy: int) -> Mapping[str, str]:
        return {name: str(self.fill(each, copy)) for name, each in template.queries.items()}

    def body(self, template: RequestTemplate, copy: int) -> bytes | None:
        return json.dumps(self.fill(template.body, copy)).encode() if template.takes_body else None

    def request(self, method: str, template: RequestTemplate, copy: int = PLAIN) -> Request:
        """Return a request that names this tenant's own rows."""
        path, query = self.path(template, copy), self.query(template, copy)
        return Request(method=method, path=path, query=query, body=self.body(template, copy))

    def marked_bodies(self, template: RequestTemplate) -> Iterator[bytes | None]:
        """Yield the body with the mark in all free texts, then in each alone, then in none."""
        body = self.fill(template.body, MARKED)
        if not template.takes_body or not isinstance(body, dict):
            yield self.body(template, MARKED)
            return
        names = template.free_texts
        for chosen in [names, *((name,) for name in names if len(names) > 1), ()]:
            yield json.dumps({**body, **dict.fromkeys(chosen, self.mark)}).encode()

    def secrets(self) -> set[str]:
        """Return what nobody of another tenant may ever read: ids, slug, mark."""
        values = {str(value) for rows in self.rows.values() for row in rows for value in row.values() if is_id(value)}
        return values | {str(self.id), self.slug, self.mark}


def is_id(value: Any) -> bool:
    try:
        return bool(UUID(str(value)))
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Seeder:
    """Creates rows: `creators` are the operations that add one to a collection, `lists` those that list one."""

    creators: Sequence[Operation]
    lists: Mapping[str, Operation]
    send: Send

    async def seed(self, tenant: TenantData) -> None:
        """Create two rows of each collection, parents first."""
        waiting = list(self.creators)
        while waiting:
            ready = [one for one in waiting if all(each.collection in tenant.rows for each in one.template.sources())]
            for one in ready or waiting[:1]:
                await self.list_rows(tenant, one.template)
                await self.create_rows(tenant, one)
            waiting = [one for one in waiting if one.name not in tenant.responses]

    async def list_rows(self, tenant: TenantData, template: RequestTemplate) -> None:
        """List the rows of the collections that this template needs and that no operation creates."""
        for source in template.sources():
            listing = self.lists.get(source.collection)
            if source.collection in tenant.rows or listing is None:
                continue
            response = await self.send(tenant, listing, tenant.request("GET", listing.template))
            if response.is_success and (rows := rows_of_page(parse_json(response))):
                tenant.rows[source.collection] = rows

    async def create_rows(self, tenant: TenantData, creator: Operation) -> None:
        template = creator.template
        responses: list[Response] = []
        tenant.responses[creator.name] = responses
        for copy in COPIES:
            bodies = tenant.marked_bodies(template) if copy == MARKED else [tenant.body(template, PLAIN)]
            for body in bodies:
                response = await self.create(tenant, creator, copy, body)
                if response.is_success:
                    break
            responses.append(response)
        created = [row for one in responses if one.is_success and isinstance(row := parse_json(one), dict)]
        if created:
            tenant.rows[template.shape] = created

    async def create(self, tenant: TenantData, creator: Operation, copy: int, body: bytes | None) -> Response:
        request = replace(tenant.request("POST", creator.template, copy), body=body)
        response = await self.send(tenant, creator, request)
        if response.status == PRECONDITION_REQUIRED and (etag := await self.etag(tenant, creator.template, copy)):
            response = await self.send(tenant, creator, replace(request, headers={"If-Match": etag}))
        return response

    async def etag(self, tenant: TenantData, template: RequestTemplate, copy: int) -> str | None:
        """Return that of what the path names: of its own GET, else of the nearest above it, as of the row to pay."""
        for path in paths_up(template.shape):
            if reader := self.lists.get(path):
                response = await self.send(tenant, reader, tenant.request("GET", reader.template, copy))
                if etag := response.header("etag"):
                    return etag
        return None


def parse_json(response: Response) -> Any:
    try:
        return json.loads(response.text)
    except ValueError:
        return None


def rows_of_page(page: Any) -> list[dict[str, Any]]:
    """Return the rows of a list, or of a page that has them under a name."""
    if isinstance(page, dict):
        page = next((page[name] for name in LISTS if isinstance(page.get(name), list)), [])
    return [row for row in page if isinstance(row, dict)] if isinstance(page, list) else []
