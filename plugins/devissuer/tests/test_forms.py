"""Bodies that are no forms, or not the forms that are taken."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from httpx import AsyncClient

FORM = "application/x-www-form-urlencoded"
GOOD = b"grant_type=password&username=a%40b.example&password=x"


@pytest.mark.parametrize("path", ["/devissuer/token", "/devissuer/password"])
@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (FORM, b"grant_type=password&grant_type=password"),
        (FORM, GOOD + b"&padding=" + b"x" * 9000),
        (FORM, b"&".join(b"f%d=1" % number for number in range(21))),
        (FORM, b"grant_type=password&username=%ff"),
        (FORM, b"grant_type=password&username=\xff"),
        (FORM, b"grant_type=password&username=%ed%a0%80&password=x"),
        (FORM, b"grant_type=password&username=a%00b&password=x"),
        (FORM, b"grant_type"),
        (FORM, b"=&=&="),
        ("", GOOD),
        ("application/json", b'{"grant_type": "password"}'),
        ("multipart/form-data; boundary=x", b"--x--"),
        (f"{FORM}; charset=utf-16", GOOD),
        (f"{FORM}evil", GOOD),
    ],
)
async def test_an_invalid_form_is_refused(client: AsyncClient, path: str, kind: str, content: bytes) -> None:
    answer = await client.post(path, content=content, headers={"Content-Type": kind} if kind else {})

    assert answer.status_code == 400
    assert answer.headers["cache-control"] == "no-store"
    if path.endswith("token"):
        assert answer.json()["error"] == "invalid_request"


async def test_an_endless_body_is_read_up_to_the_limit(client: AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal sent
        while True:
            sent += 1024
            yield b"a" * 1024

    answer = await client.post("/devissuer/token", content=endless(), headers={"Content-Type": FORM})

    assert answer.json()["error"] == "invalid_request"
    assert sent <= 10 * 1024


@pytest.mark.parametrize("kind", [FORM, FORM.upper(), f"{FORM};charset=UTF-8", f'{FORM} ; charset="utf-8"'])
async def test_a_form_may_say_that_it_is_utf_8(client: AsyncClient, kind: str) -> None:
    answer = await client.post("/devissuer/token", content=GOOD, headers={"Content-Type": kind})

    assert answer.json()["error"] == "invalid_grant"
