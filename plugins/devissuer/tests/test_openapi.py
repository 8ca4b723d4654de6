"""What the OpenAPI document says of the routes is how they answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from httpx import AsyncClient

from vinc_identity.contracts import ProviderUser
from vinc_testing import VincApp

from .conftest import sign_in

PATHS = "/api/v1/devissuer/"


def responses(app: VincApp, path: str, method: str = "post") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(app.openapi())["paths"][f"{PATHS}{path}"][method]["responses"]
    return found


@pytest.mark.parametrize(("client_id", "status"), [("vinc-docs", 400), ("another", 401)])
async def test_a_refusal_has_the_form_that_the_document_tells(
    vinc_app: VincApp, client: AsyncClient, alice: ProviderUser, client_id: str, status: int
) -> None:
    answer = await sign_in(client, password="wrong", client_id=client_id)
    content = responses(vinc_app, "token")[str(status)]["content"]
    name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema = json.loads(vinc_app.application.openapi())["components"]["schemas"][name]

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert set(schema["required"]) <= set(answer.json()) <= set(schema["properties"])


async def test_what_the_kernel_refuses_there_is_a_problem_as_the_document_tells(
    vinc_app: VincApp, client: AsyncClient
) -> None:
    refused = await client.post("/devissuer/token", headers={"Authorization": "Bearer nobodys"})
    contents = responses(vinc_app, "token")["401"]["content"]

    assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
    assert set(contents) == {"application/json", "application/problem+json"}


@pytest.mark.parametrize("method", ["get", "post"])
async def test_the_page_is_a_page_when_it_refuses(vinc_app: VincApp, client: AsyncClient, method: str) -> None:
    answer = await client.request(method, "/devissuer/password")
    contents = responses(vinc_app, "password", method)["400"]["content"]

    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html; charset=utf-8")
    assert "text/html" in contents
