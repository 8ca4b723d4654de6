"""The address of a request is bounded before anything looks into it."""

from __future__ import annotations

import pytest
from fastapi import APIRouter
from httpx import ASGITransport, AsyncClient

from vinc_kernel import Contribution, signed_in

from ..conftest import AppOf, client_of, talk

TOO_LONG = (414, "urn:vinc:problem:uri-too-long")


@pytest.fixture
def guarded(app_of: AppOf) -> AsyncClient:
    router = APIRouter(prefix="/things", dependencies=[signed_in])

    @router.get("/{rest:path}")
    async def read(rest: str) -> str:
        return rest

    return client_of(app_of({"VINC_CORS_ORIGINS": "https://app.example"}, things=Contribution(routers=[router])))


@pytest.mark.parametrize("begin", ["/things/", "/nothing/"])
@pytest.mark.parametrize(
    ("rest", "refusal"),
    [
        ("a" * 2000, None),
        ("a" * 2048, TOO_LONG),
        ("%41" * 2000, None),
        ("/" * 90, None),
        ("/" * 101, TOO_LONG),
        ("%2f" * 101, TOO_LONG),
        ("?" + "a" * 16_384, None),
        ("?" + "a" * 16_385, TOO_LONG),
        ("?" + "&" * 499, None),
        ("?" + "&" * 500, (400, "urn:vinc:problem:bad-request")),
        ("?" + "a=1&" * 499 + "a=1", None),
        ("?" + "a=1&" * 500 + "a=1", (400, "urn:vinc:problem:bad-request")),
    ],
)
async def test_an_address_is_no_longer_than_this(
    guarded: AsyncClient, begin: str, rest: str, refusal: tuple[int, str] | None
) -> None:
    answer = await guarded.get(begin + rest, headers={"Origin": "https://app.example"})

    assert answer.status_code == ((401 if begin == "/things/" else 404) if refusal is None else refusal[0])
    assert refusal is None or answer.json()["type"] == refusal[1]
    assert len(answer.content) < 2000
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


async def test_a_websocket_with_a_long_address_is_refused(guarded: AsyncClient) -> None:
    transport = guarded._transport
    assert isinstance(transport, ASGITransport)

    (close,) = await talk(transport.app, "/things/" + "/" * 200)

    assert (close["type"], close["reason"]) == ("websocket.close", "The address is too long")
