"""What the OpenAPI document says of the routes is how they answer."""

from __future__ import annotations

from typing import Any

import pytest
from httpx import AsyncClient

from vinc_identity.contracts import ProviderUser

from .conftest import sign_in

PATHS = "/api/v1/devissuer/"


async def openapi(client: AsyncClient) -> dict[str, Any]:
    document: dict[str, Any] = (await client.get("/openapi.json")).json()
    return document


async def responses(client: AsyncClient, path: str, method: str = "post") -> dict[str, Any]:
    operations: dict[str, Any] = (await openapi(client))["paths"][f"{PATHS}{path}"]
    described: dict[str, Any] = operations[method]["responses"]
    return described


@pytest.mark.parametrize(("client_id", "status"), [("vinc-docs", 400), ("another", 401)])
async def test_a_refusal_has_the_form_that_the_document_tells(
    client: AsyncClient, alice: ProviderUser, client_id: str, status: int
) -> None:
    answer = await sign_in(client, password="wrong", client_id=client_id)
    content = (await responses(client, "token"))[str(status)]["content"]
    name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema = (await openapi(client))["components"]["schemas"][name]

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert set(schema["required"]) <= set(answer.json()) <= set(schema["properties"])


async def test_what_the_kernel_refuses_there_is_a_problem_as_the_document_tells(client: AsyncClient) -> None:
    refused = await client.post("/devissuer/token", headers={"Authorization": "Bearer nobodys"})
    contents = (await responses(client, "token"))["401"]["content"]

    assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
    assert set(contents) == {"application/json", "application/problem+json"}


@pytest.mark.parametrize("method", ["get", "post"])
async def test_the_page_is_a_page_when_it_refuses(client: AsyncClient, method: str) -> None:
    answer = await client.request(method, "/devissuer/password")
    contents = (await responses(client, "password", method))["400"]["content"]

    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html; charset=utf-8")
    assert "text/html" in contents
