"""Who wrote a row, when and how often: the database fills it in, nobody sends it, and a deleted row can come back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient
from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import aliased

from vinc_kernel.rest import uuid7

from .conftest import Shop
from .shelf import ADD, ALL, Item, row_of

ANY = {"If-Match": "*"}
RECORD = ("created_at", "updated_at", "created_by", "updated_by", "version")
SERVER_FIELDS = ["id", "tenant_id", *RECORD, "deleted_at", "code", "secret", "made"]
WRITES = [("POST", ""), ("PATCH", "/{id}"), ("PUT", "/{id}"), ("PATCH", "/{id}/orm")]
RENAME = update(Item).where(Item.id == bindparam("this")).values(name=bindparam("new"))


def record(shop: Shop, row: Any) -> dict[str, Any]:
    query = f"select {', '.join(RECORD)} from shelf_item where id = %s"
    (found,) = shop.database.admin.execute(query.encode(), [row]).fetchall()
    return dict(zip(RECORD, found, strict=True))


async def create(client: AsyncClient, name: str = "a") -> str:
    answer = await client.post("/shelf", json={"name": name})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize(("method", "below"), WRITES[1:])
async def test_a_row_says_whose_principal_made_it_and_whose_changed_it_last(
    shop: Shop, method: str, below: str
) -> None:
    async with shop.client(subject="alice") as alice, shop.client(subject="bob") as bob:
        row = await create(alice)
        made = record(shop, row)
        answer = await bob.request(method, f"/shelf{below.format(id=row)}", json={"name": "b"}, headers=ANY)

    assert (made["created_by"], made["updated_by"]) == (row_of("alice"), row_of("alice"))
    assert (answer.status_code, answer.json()["created_by"]) == (200, str(row_of("alice")))
    assert answer.json()["updated_by"] == str(row_of("bob")) == str(record(shop, row)["updated_by"])


async def test_a_principal_without_a_row_leaves_no_name(shop: Shop) -> None:
    async with shop.client(role="stranger") as stranger, shop.client(subject="alice") as alice:
        row = await create(alice)
        answer = await stranger.patch(f"/shelf/{row}", json={"name": "b"}, headers=ANY)
        own = record(shop, await create(stranger))

    assert answer.status_code == 200
    assert (record(shop, row)["created_by"], record(shop, row)["updated_by"]) == (row_of("alice"), None)
    assert (own["created_by"], own["updated_by"]) == (None, None)


@pytest.mark.parametrize("actor", [None, row_of("alice")], ids=["nobody", "somebody"])
async def test_a_session_of_the_system_writes_the_actor_that_it_was_given_or_none(
    shop: Shop, actor: UUID | None
) -> None:
    async with shop.client(subject="bob") as bob:
        other = await create(bob)
    async with shop.session(actor=actor) as db:
        made = await db.one(ADD, dict, {"name": "a", "qty": 0, "note": None})
        await db.execute(RENAME, {"this": UUID(other), "new": "b"})

    assert (made["created_by"], made["updated_by"], made["version"]) == (actor, actor, 1)
    assert record(shop, made["id"])["created_by"] == actor
    assert (record(shop, other)["created_by"], record(shop, other)["updated_by"]) == (row_of("bob"), actor)


@pytest.mark.parametrize("way", [WRITES[1], WRITES[2], WRITES[3], ("POST", "/{id}/away")], ids=" ".join)
async def test_each_update_is_a_version_of_its_own_and_a_later_moment(
    shop: Shop, client: AsyncClient, way: tuple[str, str]
) -> None:
    method, below = way
    row = await create(client)
    records = [record(shop, row)]
    for name in "bcd":
        body = None if method == "POST" else {"name": name}
        answer = await client.request(method, f"/shelf{below.format(id=row)}", json=body, headers=ANY)
        assert answer.status_code == 200
        records.append(record(shop, row))

    moments = [one["updated_at"] for one in records]
    assert [one["version"] for one in records] == [1, 2, 3, 4]
    assert moments == sorted(set(moments))
    assert len({(one["created_at"], one["created_by"]) for one in records}) == 1
    assert records[0]["created_at"] == records[0]["updated_at"]


async def test_an_update_of_several_rows_and_one_that_joins_another_table_count_too(shop: Shop) -> None:
    rows = shop.put({"version": 1}, {"version": 5})
    other = aliased(Item)
    joined = update(Item).where(Item.id == other.id, other.version > 3).values(name=other.name, qty=other.version)
    async with shop.session() as db:
        await db.execute(update(Item).values(qty=Item.qty + 1))
        await db.execute(joined)

    assert [record(shop, row)["version"] for row in rows] == [2, 7]


async def test_reading_a_row_changes_nothing_of_its_record(shop: Shop, client: AsyncClient) -> None:
    row = await create(client)
    before = record(shop, row)
    await client.get(f"/shelf/{row}")
    await client.get("/shelf")
    await client.patch(f"/shelf/{row}", json={"name": "b"}, headers={"If-Match": '"1-000000000000000000"'})

    assert record(shop, row) == before


async def test_an_update_by_the_orm_that_changes_nothing_makes_no_version(shop: Shop, client: AsyncClient) -> None:
    row = await create(client)
    before = record(shop, row)
    answer = await client.patch(f"/shelf/{row}/orm", json={"name": "a"})

    assert (answer.status_code, record(shop, row)) == (200, before)
    assert answer.headers["etag"].startswith('"1-')


async def test_what_is_rolled_back_is_no_version(shop: Shop) -> None:
    (row,) = shop.put({})
    before = record(shop, row)

    async def fail() -> None:
        async with shop.session() as db:
            await db.execute(RENAME, {"this": row, "new": "b"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert record(shop, row) == before


async def test_ids_are_uuids_of_version_7_that_grow_with_time(client: AsyncClient) -> None:
    ids = [UUID(await create(client)) for _ in range(5)]

    made = [datetime.fromtimestamp((one.int >> 80) / 1000).astimezone() for one in ids]
    assert {(one.version, one.variant) for one in ids} == {(7, UUID(int=0x80 << 56).variant)}
    assert ids == sorted(set(ids))
    assert all(abs(moment - datetime.now().astimezone()) < timedelta(minutes=1) for moment in made)


def test_ids_of_one_process_are_told_apart_however_fast_they_are_made() -> None:
    assert len({uuid7() for _ in range(20_000)}) == 20_000


@pytest.mark.parametrize("field", SERVER_FIELDS)
async def test_a_field_that_the_server_fills_in_cannot_be_sent(shop: Shop, client: AsyncClient, field: str) -> None:
    (row,) = shop.put({"name": "old"})
    before = record(shop, row)
    body = {"name": "new", field: str(uuid7())}
    answers = [
        await client.request(method, f"/shelf{below.format(id=row)}", json=body, headers=ANY)
        for method, below in WRITES
    ]

    faults = [(one.status_code, [(each["in"], each["pointer"]) for each in one.json()["errors"]]) for one in answers]
    assert faults == [(422, [("body", f"/{field}")])] * len(WRITES)
    assert record(shop, row) == before
    assert shop.database.admin.execute("select name from shelf_item").fetchall() == [("old",)]


async def test_a_row_that_was_put_away_is_gone_and_comes_back_as_it_was(shop: Shop, client: AsyncClient) -> None:
    row, stays = await create(client), await create(client, "b")
    before = (await client.get(f"/shelf/{row}")).json()
    away = await client.post(f"/shelf/{row}/away")
    gone, listed = await client.get(f"/shelf/{row}"), await client.get("/shelf")
    back = await client.post(f"/shelf/{row}/back")
    after = await client.get(f"/shelf/{row}")
    listed_again = await client.get("/shelf")

    assert (away.status_code, gone.status_code, back.status_code, after.status_code) == (200, 404, 200, 200)
    assert [item["id"] for item in listed.json()["items"]] == [stays]
    assert [item["id"] for item in listed_again.json()["items"]] == [row, stays]
    assert {**after.json(), "updated_at": 0} == {**before, "updated_at": 0}
    assert record(shop, row)["version"] == 3


async def test_row_level_security_hides_no_row_that_was_put_away_from_its_own_tenant(
    shop: Shop, client: AsyncClient
) -> None:
    row = await create(client)
    await client.post(f"/shelf/{row}/away")
    async with shop.session() as db:
        present = await db.all(ALL, dict)
        stored = await db.all(select(Item.id).where(Item.deleted_at.is_not(None)), dict)
    async with shop.session("other") as db:
        theirs = await db.all(select(Item.id), dict)

    assert (present, stored, theirs) == ([], [{"id": UUID(row)}], [])
