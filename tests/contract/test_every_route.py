"""What holds for every route of the running application, also of plugins that come later."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from httpx import AsyncClient

from vinc_kernel.app import Application
from vinc_kernel.endpoints import WEBSOCKET
from vinc_testing import ClientAs, Database, Servers, VincApp
from vinc_testing.running import make_application, pointing_at
from vinc_testing.walk.checks import IsolationCheck
from vinc_testing.walk.harness import Harness
from vinc_testing.walk.responses import Response
from vinc_testing.walk.seeding import Operation
from vinc_testing.walk.two_tenants import running

NUMBER = "0199f3c8-0000-7000-8000-000000000001"
# Threats N1 to N3: valid JSON, or a valid address, that used to become a 500 further down.
POISON: list[Any] = [
    "a\x00b",
    "\ud800",
    float("nan"),
    float("inf"),
    2**63,
    -(2**63) - 1,
    10**400,
    "1_0",
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59",
    json.loads("[" * 900 + "]" * 900),
    {"\x00": {"\udfff": 1}},
    {"$ne": None},
    "%",
    "'; drop table tenants_tenant; --",
    "a" * 100_000,
    True,
    None,
    [],
]
TEXTS = [value for value in POISON if isinstance(value, str)]


def document(app: Application) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(app.openapi())
    return made


def operations(app: Application) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document(app)["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def filled(path: str, value: str = NUMBER) -> str:
    return re.sub(r"{[^}]+}", value, path)


async def test_who_is_not_signed_in_gets_401_unless_the_route_says_that_it_is_public(
    vinc_app: VincApp, client: AsyncClient
) -> None:
    closed = [one for one in vinc_app.application.routes if not one.requirement.public and WEBSOCKET not in one.methods]
    for endpoint in closed:
        for method in endpoint.methods:
            answer = await client.request(method, f"http://test{filled(endpoint.path)}", content=b"{broken")
            assert answer.status_code == 401, f"{method} {endpoint.path}"


async def test_no_route_answers_with_a_redirect_for_a_slash(vinc_app: VincApp, client: AsyncClient) -> None:
    for endpoint in vinc_app.application.routes:
        answer = await client.get(f"http://test{filled(endpoint.path)}/", headers={"Host": "evil.example"})
        assert answer.status_code in {401, 404, 405}, endpoint.path
        assert "location" not in answer.headers


def parameters(operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for parameter in operation.get("parameters", []):
        yield parameter["in"], parameter["name"]


def fields_of(app: Application, operation: dict[str, Any]) -> list[str]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in body:
        body = document(app)["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    return list(body.get("properties", {}))


async def test_no_poisoned_parameter_is_a_5xx(vinc_app: VincApp, client_as: ClientAs) -> None:
    api = client_as("wholesale_admin", "acme")
    for method, path, operation in operations(vinc_app.application):
        for text in TEXTS:
            sent = text.encode("utf-8", "surrogatepass")[:500]
            quoted = "".join(f"%{byte:02x}" for byte in sent)
            query = "&".join(f"{name}={quoted}" for place, name in parameters(operation) if place == "query")
            answer = await api.request(method, f"http://test{filled(path, quoted)}?{query or quoted}")
            assert answer.status_code < 500 or path.endswith("/ready"), f"{method} {path}"


@pytest.fixture
def harness(vinc_servers: Servers, vinc_worker_database: Database, vinc_worker: str) -> Iterator[Harness]:
    """The application as the walk calls it: as whoever is allowed to, with ids of rows that exist."""
    environ = pointing_at(vinc_servers, vinc_worker_database.name, vinc_worker)
    with running(
        lambda urls: make_application({**environ, **urls}, {}), vinc_worker_database, environ["VINC_DATABASE_URL"]
    ) as one:
        yield one


def test_no_poisoned_field_is_a_5xx_and_none_comes_back(harness: Harness) -> None:
    paths = document(harness.app)["paths"]
    poisoned = 0
    for operation in harness.operations.values():
        if operation.template.takes_body:
            fields = fields_of(harness.app, paths[operation.template.path][operation.method.lower()])
            harness.portal.call(check_fields, harness, operation, fields)
            poisoned += len(fields)

    assert poisoned > 10


async def check_fields(harness: Harness, operation: Operation, fields: list[str]) -> None:
    ours, theirs = await harness.tenants()
    check = IsolationCheck(
        harness=harness, method=operation.method, endpoint=operation.endpoint, ours=ours, theirs=theirs
    )
    await check.list_rows(operation)
    request = ours.request(operation.method, operation.template)

    async def send(body: dict[str, Any]) -> Response:
        content = json.dumps(body).encode()
        return await harness.send(ours, operation, replace(request, headers={"If-Match": "*"}, body=content))

    body = json.loads(request.body or b"{}")
    plain = await send(body)
    assert plain.is_success, f"{operation.name}: {plain}"  # so nothing that comes before the fields refuses the others
    for field in fields:
        answers = [await send({**body, field: value}) for value in POISON]
        assert [str(one) for one in answers if one.status >= 500 or len(one.text) > 5000] == [], operation.name
        assert any(one.status == 422 and f"/{field}" in one.text for one in answers), f"{operation.name}: {field}"
