"""What a body must be, before anybody looks into it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter
from httpx import AsyncClient
from pydantic import Field

from vinc_kernel import Contribution, public

from ..conftest import AppOf, client_of

ITEM = b'{"name": "a"}'


@pytest.mark.parametrize(
    "media",
    ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""],
)
async def test_a_body_that_does_not_say_that_it_is_json_is_415(client: AsyncClient, media: str) -> None:
    answer = await client.post("/shelf", content=ITEM, headers={"Content-Type": media} if media else {})

    assert (answer.status_code, answer.json()["type"]) == (415, "urn:vinc:problem:unsupported-media-type")
    assert "application/json" in answer.json()["detail"]
    assert (await client.get("/shelf")).json()["items"] == []


@pytest.mark.parametrize(
    "media", ["application/json", "Application/JSON ;charset=utf-8", "application/merge-patch+json"]
)
async def test_json_is_taken_by_any_of_its_names(client: AsyncClient, media: str) -> None:
    assert (await client.post("/shelf", content=ITEM, headers={"Content-Type": media})).status_code == 201


async def test_without_a_body_what_is_missing_is_told(client: AsyncClient) -> None:
    for headers in ({}, {"Content-Type": "application/json"}):
        assert (await client.post("/shelf", headers=headers)).status_code == 422


@pytest.fixture
def sums(app_of: AppOf) -> Any:
    router = APIRouter(prefix="/sums", dependencies=[public("a test")])

    @router.post("", max_body_size=10)
    async def add_all(numbers: Annotated[list[int], Field(max_length=9)]) -> int:
        return sum(numbers)

    return client_of(app_of(sums=Contribution(routers=[router])))


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_body_above_the_routes_max_body_size_is_413(sums: httpx.AsyncClient, streamed: bool) -> None:
    async def chunks(body: bytes) -> AsyncGenerator[bytes]:
        for start in range(0, len(body), 4):
            yield body[start : start + 4]

    async def send(body: bytes) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        return await sums.post("/sums", content=chunks(body) if streamed else body, headers=headers)

    fits, refused = await send(b"[1,2,3,45]"), await send(b"[1,2,3,456]")

    assert (fits.status_code, fits.json()) == (200, 51)
    assert (refused.status_code, refused.json()["type"]) == (413, "urn:vinc:problem:content-too-large")
    assert refused.json()["detail"] == "The body may have 10 bytes at most."
