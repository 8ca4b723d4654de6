"""What a body must be, before anybody looks into it."""

from __future__ import annotations

import pytest

from .conftest import Shop

ITEM = b'{"name": "a"}'


@pytest.mark.parametrize(
    "media",
    ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""],
)
async def test_a_body_that_does_not_say_that_it_is_json_is_415(shop: Shop, media: str) -> None:
    async with shop.client() as client:
        answer = await client.post("/shelf", content=ITEM, headers={"Content-Type": media} if media else {})

        assert (answer.status_code, answer.json()["type"]) == (415, "urn:vinc:problem:unsupported-media-type")
        assert "application/json" in answer.json()["detail"]
        assert (await client.get("/shelf")).json()["items"] == []


@pytest.mark.parametrize(
    "media", ["application/json", "Application/JSON ;charset=utf-8", "application/merge-patch+json"]
)
async def test_json_is_taken_by_any_of_its_names(shop: Shop, media: str) -> None:
    async with shop.client() as client:
        assert (await client.post("/shelf", content=ITEM, headers={"Content-Type": media})).status_code == 201


async def test_without_a_body_what_is_missing_is_told(shop: Shop) -> None:
    async with shop.client() as client:
        assert (await client.post("/shelf")).status_code == 422


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"name": "a", "name": "b"}', "an object has two members of one name"),
        (b'{"name": ', "Expecting value"),
        (b'{"name": NaN}', "NaN and Infinity are no JSON"),
        (b'{"name": "\xff"}', "it is not UTF-8"),
    ],
)
async def test_what_is_no_strict_json_is_422_and_says_why(shop: Shop, body: bytes, told: str) -> None:
    async with shop.client() as client:
        answer = await client.post("/shelf", content=body, headers={"Content-Type": "application/json"})

    (fault,) = answer.json()["errors"]
    assert (answer.status_code, fault["code"], fault["pointer"]) == (422, "json_invalid", "")
    assert fault["message"] == f"is no strict JSON: {told}"
