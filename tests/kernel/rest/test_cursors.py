"""Cursors: good for the one list they were written for, and one and the same 400 for everybody and everything else."""

from __future__ import annotations

import base64
import json
import string
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from httpx import AsyncClient, Response

from vinc_kernel import TenantDirectory
from vinc_kernel.app import create_app
from vinc_kernel.errors import BadRequest
from vinc_kernel.rest.cursors import Cursors
from vinc_kernel.settings import Sources, read_settings
from vinc_testing.clients import Client
from vinc_testing.running import TENANTS, plugin_of, started
from vinc_testing.tenants import RememberedTenants

from .conftest import Shop

ALPHABET = f"{string.ascii_letters}{string.digits}_-."
MADE_UP = {
    "empty": "",
    "a dot": ".",
    "two dots": "..",
    "not ASCII": "W10ä.é",
    "NUL": "W10\x00",
    "a line": "W10\n",
    "a number": "0",
    "an offset": "1000000",
    "text": "null",
    "not signed": base64.urlsafe_b64encode(b'["a", "b"]').decode().strip("="),
    "signed with nothing": "W10.",
    "quotes": "' or 1=1 --",
    "too long": "A" * 8001,
    "very long": f"{'A' * 16_000}.{'A' * 64}",
}
LOOKALIKES = ["2026-11-24", "2026-11-24T12:00:00Z", "1", "1_0", "true", "null", "NaN", '["a"]', "{}", str(UUID(int=7))]
POSITIONS: list[tuple[type, Any]] = [
    (str, "ä'\"\\\x7f𝄞"),
    (int, -(2**63)),
    (bool, False),
    (date, date(1, 1, 1)),
    (datetime, datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)),
    (UUID, UUID(int=0)),
]


async def first(client: AsyncClient, address: str = "/shelf", **asked: Any) -> str:
    """A cursor as a page of one row gives it."""
    answer = await client.get(address, params={"limit": 1, **asked})
    assert answer.status_code == 200, answer.text
    return parse_qs(urlsplit(answer.json()["next"]).query)["cursor"][0]


def found(answer: Response) -> Any:
    """The names on a page; or where the fault of a bad request lies, and its type."""
    body = answer.json()
    if answer.status_code == 200:
        return [item["name"] for item in body["items"]]
    assert answer.status_code == body["status"], body
    return (answer.status_code, body["type"], [(fault["in"], fault["pointer"]) for fault in body["errors"]])


REFUSED = (400, "urn:vinc:problem:bad-request", [("query", "/cursor")])


@asynccontextmanager
async def another(shop: Shop, environ: Mapping[str, str], keys: str) -> AsyncGenerator[Shop]:
    """A second application on the same database that knows the same tenants, and has these keys."""
    sources = Sources({**environ, "VINC_SECRET_KEY": keys})
    plugins = [
        plugin_of(name, sys.modules[where])
        for name, where in ((TENANTS, RememberedTenants.__module__), ("shelf", "made_shelf.plugin"))
    ]
    app = create_app(read_settings(sources)[0], sources, plugins=plugins)
    async with started(app):
        directory: Any = app.runtime.registry.services[TenantDirectory]
        directory.known |= shop.tenants.known
        yield Shop(app, shop.database, directory)


async def test_a_cursor_with_any_byte_flipped_or_removed_is_400(shop: Shop, client: AsyncClient) -> None:
    shop.put({"name": "a"}, {"name": "b"})
    cursor = await first(client)
    flipped = [f"{cursor[:at]}{chr(ord(cursor[at]) ^ 1)}{cursor[at + 1 :]}" for at in range(len(cursor))]
    removed = [f"{cursor[:at]}{cursor[at + 1 :]}" for at in range(len(cursor))]
    added = [f" {cursor}", f"{cursor} ", f"{cursor}=", f"{cursor}A", f"A{cursor}", f"{cursor}.A", cursor * 2]
    answers = {bad: found(await client.get("/shelf", params={"cursor": bad})) for bad in (*flipped, *removed, *added)}
    good = found(await client.get("/shelf", params={"cursor": cursor}))

    assert {bad: answer for bad, answer in answers.items() if answer != REFUSED} == {}
    assert good == ["b"]


def test_no_other_character_at_any_place_makes_the_same_cursor() -> None:
    cursors = Cursors(["key"], ("/things", "name"))
    good = cursors.write(["a", UUID(int=1)])
    others = {f"{good[:at]}{other}{good[at + 1 :]}" for at in range(len(good)) for other in ALPHABET} - {good}

    for bad in others:
        with pytest.raises(BadRequest):
            cursors.read(bad, [str, UUID])


@pytest.mark.parametrize("cursor", MADE_UP.values(), ids=MADE_UP)
async def test_a_cursor_that_nobody_wrote_is_400(client: AsyncClient, cursor: str) -> None:
    assert found(await client.get("/shelf", params={"cursor": cursor})) == REFUSED


@pytest.mark.parametrize("raw", ["W10%00.AA", "W10%0d%0aA:%20b", "W10+AA", "W10%2eAA"])
async def test_a_cursor_that_was_encoded_otherwise_is_400(client: AsyncClient, raw: str) -> None:
    assert found(await client.get(f"/shelf?cursor={raw}")) == REFUSED


# What a list is asked for, where its cursor is taken, and with what.
ELSEWHERE: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "another route": ({}, "/shelf/again", {}),
    "another route with parameters": ({}, "/shelf/of/a", {}),
    "another order": ({}, "/shelf", {"order_by": "qty"}),
    "the order turned around": ({}, "/shelf", {"order_by": "-name"}),
    "one more filter": ({}, "/shelf", {"name": "b"}),
    "a filter of a range": ({}, "/shelf", {"qty_from": 0}),
    "no filter": ({"qty": 1}, "/shelf", {}),
    "another value": ({"qty": 1}, "/shelf", {"qty": 2}),
    "one more value": ({"qty": 1}, "/shelf", {"qty": [1, 2]}),
    "the same from there": ({"qty": 1}, "/shelf", {"qty_from": 1}),
    "another column": ({"qty": 1}, "/shelf", {"small": 1}),
    "the value of another type": ({"qty": 1}, "/shelf", {"big": 1}),
    "a filter and one more": ({"qty": 1}, "/shelf", {"qty": 1, "qty_before": 9}),
}


@pytest.mark.parametrize(("asked", "address", "other"), ELSEWHERE.values(), ids=ELSEWHERE)
async def test_a_cursor_is_good_for_no_other_list(
    shop: Shop, client: AsyncClient, asked: dict[str, Any], address: str, other: dict[str, Any]
) -> None:
    shop.put(*[{"name": name, "qty": 1, "small": 1, "big": 1} for name in "ab"])
    cursor = await first(client, **asked)

    assert found(await client.get(address, params={**other, "cursor": cursor})) == REFUSED


async def test_a_path_with_a_parameter_is_another_list_for_each_value(shop: Shop, client: AsyncClient) -> None:
    shop.put(*[{"name": name} for name in "aabb"])
    cursor = await first(client, "/shelf/of/a")
    answers = [found(await client.get(f"/shelf/of/{name}", params={"cursor": cursor})) for name in "ab"]

    assert answers == [["a"], REFUSED]


async def test_a_cursor_is_good_for_no_other_tenant_and_no_other_user(shop: Shop) -> None:
    for tenant in ("acme", "other"):
        shop.put({"name": "a"}, {"name": "b"}, tenant=tenant)
    async with shop.client() as client, shop.client("other") as other, shop.client(subject="bob") as bob:
        cursor = await first(client)
        answers = [found(await one.get("/shelf", params={"cursor": cursor})) for one in (client, other, bob)]

    assert answers == [["b"], REFUSED, REFUSED]


async def test_a_cursor_stays_good_with_another_limit_in_another_role_and_for_head(shop: Shop) -> None:
    shop.put(*[{"name": name} for name in "abc"])
    async with shop.client() as client, shop.client(role="editor") as promoted:
        cursor = await first(client, name=["a", "b", "c"], qty=0)
        query = f"/shelf?cursor={cursor}&qty=0&name=a&name=b&name=c&limit=9&order_by=name"
        answers = [found(await one.get(query)) for one in (client, promoted)]
        head = await client.head(query)

    assert answers == [["b", "c"], ["b", "c"]]
    assert head.status_code == 200


@pytest.mark.parametrize(
    ("keys", "later", "answer"),
    [
        ("old", "old", ["b"]),
        ("old", "new,old", ["b"]),
        ("old", "new", REFUSED),
        ("old", "old2,ol", REFUSED),
        ("new,old", "new", ["b"]),
        ("new,old", "old", REFUSED),
    ],
    ids=["the same", "rotated", "of another installation", "others that begin alike", "the new one signs", "no other"],
)
async def test_a_cursor_is_good_as_long_as_its_key_is_known(
    shop: Shop, environ: dict[str, str], keys: str, later: str, answer: Any
) -> None:
    shop.put({"name": "a"}, {"name": "b"})
    async with another(shop, environ, keys) as before, before.client() as client:
        cursor = await first(client)
    async with another(shop, environ, later) as after, after.client() as client:
        assert found(await client.get("/shelf", params={"cursor": cursor})) == answer


async def test_text_that_looks_like_another_type_stays_text(shop: Shop, client: Client) -> None:
    shop.put(*[{"name": name} for name in LOOKALIKES])
    items = await client.items("/shelf", limit=1)

    assert sorted(item["name"] for item in items) == sorted(LOOKALIKES)


@pytest.mark.parametrize(("kind", "value"), POSITIONS, ids=lambda one: repr(one)[:30])
def test_a_position_comes_back_exact_and_of_its_type(kind: type, value: Any) -> None:
    cursors = Cursors(["key"], ())
    (back,) = cursors.read(cursors.write([value]), [kind])

    assert (back, type(back)) == (value, kind)


@pytest.mark.parametrize(
    ("written", "kinds"),
    [(["a"], [int]), (["a"], [date]), (["a"], [datetime]), (["a"], [UUID]), (["a"], [str, UUID]), ([1, 2], [int])],
    ids=repr,
)
def test_a_cursor_of_a_release_where_the_column_was_another_is_400(written: list[Any], kinds: list[type]) -> None:
    cursors = Cursors(["key"], ())
    with pytest.raises(BadRequest):
        cursors.read(cursors.write(written), kinds)


async def test_a_cursor_tells_the_columns_of_the_order_and_nothing_else(shop: Shop, client: AsyncClient) -> None:
    made, _ = shop.put({"name": "a", "note": "canary"}, {"name": "b"})
    payload, _, signature = (await first(client)).partition(".")

    assert json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) == ["a", str(made)]
    assert len(signature) == 64


@pytest.mark.parametrize("name", ["a" * 2000, "a" * 10_000, "𝄞" * 1000], ids=["2,000", "10,000", "1,000 notes"])
async def test_the_cursor_after_a_long_text_leads_on(shop: Shop, client: AsyncClient, name: str) -> None:
    shop.put({"name": name}, {"name": f"{name}z"})
    cursor = await first(client)
    answer = await client.get("/shelf", params={"cursor": cursor})

    assert answer.status_code == 200, f"a cursor of {len(cursor):,} characters is refused where it was written"
    assert found(answer) == [f"{name}z"]
