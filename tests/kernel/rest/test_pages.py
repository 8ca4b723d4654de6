"""Keyset pages: complete, without doubles, stable while rows come and go, exact for every type of column."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient

from .conftest import Shop

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)
# Values that lie as close together as their type allows, around the edges where an inexact one would fall over.
VALUES: dict[str, list[Any]] = {
    "name": ["", "'", '"', "%", "A", "a", "a ", "aa", "ä", "ﬃ", "𝄞", "a\n", "\\", "null", "0"],
    "code": [UUID(int=number) for number in (0, 1, 2**64 - 1, 2**64, 2**127, 2**128 - 1)],
    "small": [-(2**15), -1, 0, 1, 2**15 - 1],
    "qty": [-(2**31), -10, -9, -1, 0, 1, 9, 10, 2**31 - 1],
    "big": [-(2**63), -(2**53) - 1, -(2**53), -1, 0, 1, 2**53, 2**53 + 1, 2**63 - 1],
    "open": [False, True],
    "due": [date(1, 1, 1), date(1999, 12, 31), date(2000, 1, 1), date(2026, 2, 28), date(9999, 12, 31)],
    "made": [NOON - TICK, NOON, NOON + TICK, FIRST, LAST],
}  # fmt: skip


async def pages(client: AsyncClient, address: str = "/shelf", **params: Any) -> list[list[dict[str, Any]]]:
    """Every page of a list, as one gets them by following `next`."""
    found, answer = [], await client.get(address, params=params)
    while True:
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found.append(page["items"])
        if page["next"] is None:
            return found
        answer = await client.get(f"http://test{page['next']}")


def ids(found: list[list[dict[str, Any]]]) -> list[str]:
    return [item["id"] for page in found for item in page]


@pytest.mark.parametrize("column", VALUES)
@pytest.mark.parametrize("sign", ["", "-"])
async def test_pages_of_one_row_are_the_whole_list_in_its_order(
    shop: Shop, client: AsyncClient, column: str, sign: str
) -> None:
    made = shop.put(*[{column: value} for value in VALUES[column] for _ in range(2)])
    shop.put({column: VALUES[column][0]}, tenant="other")
    direction = "desc" if sign else "asc"
    rows = shop.database.admin.execute(
        f"select id from shelf_item where tenant_id = %s order by {column} {direction}, id {direction}".encode(),
        [shop.id("acme")],
    )
    expected = [str(one) for (one,) in rows.fetchall()]
    found = await pages(client, limit=1, order_by=f"{sign}{column}")

    assert ids(found) == expected
    assert {len(page) for page in found} == {1}
    assert len(found) == len(made)


@pytest.mark.parametrize("order", ["id", "-id"])
async def test_a_list_may_be_ordered_by_id_alone(shop: Shop, client: AsyncClient, order: str) -> None:
    made = sorted(shop.put(*[{} for _ in range(5)]), reverse=order == "-id")
    assert ids(await pages(client, limit=2, order_by=order)) == [str(one) for one in made]


async def test_nothing_is_skipped_or_doubled_while_rows_come_and_go(shop: Shop, client: AsyncClient) -> None:
    made = shop.put(*[{"name": name} for name in "bdfhj"])
    seen: list[str] = []
    answer = await client.get("/shelf", params={"limit": 2})
    seen += ids([answer.json()["items"]])
    shop.put({"name": "a"}, {"name": "c"})  # before where the next page begins
    shop.database.admin.execute("delete from shelf_item where id = any(%s)", [[made[1], made[0]]])
    (late,) = shop.put({"name": "i"})
    while following := answer.json()["next"]:
        answer = await client.get(f"http://test{following}")
        seen += ids([answer.json()["items"]])

    assert seen == [str(one) for one in (*made[:4], late, made[4])]


async def test_the_last_page_says_so_also_when_it_is_full_or_empty(shop: Shop, client: AsyncClient) -> None:
    empty = await client.get("/shelf", params={"limit": 2})
    shop.put({}, {})
    full = await client.get("/shelf", params={"limit": 2})
    shop.put({})
    more = await client.get("/shelf", params={"limit": 2})

    assert (empty.json(), "link" in empty.headers) == ({"items": [], "next": None}, False)
    assert (len(full.json()["items"]), full.json()["next"]) == (2, None)
    assert more.headers["link"] == f'<{more.json()["next"]}>; rel="next"'


async def test_fifty_rows_come_unless_another_limit_is_asked(shop: Shop, client: AsyncClient) -> None:
    shop.database.admin.execute(
        "insert into shelf_item (tenant_id, id, name, code, small, qty, big, open, secret, price, mood)"
        " select %s, gen_random_uuid(), '', gen_random_uuid(), 0, 0, 0, false, '', 0, 'glad'"
        " from generate_series(1, 201)",
        [shop.id("acme")],
    )
    found = {limit: (await client.get(f"/shelf{limit}")).json() for limit in ("", "?limit=1", "?limit=200")}

    assert {limit: len(page["items"]) for limit, page in found.items()} == {"": 50, "?limit=1": 1, "?limit=200": 200}
    assert all(page["next"] for page in found.values())


@pytest.mark.parametrize("limit", ["0", "-1", "201", "1e2", "1.0", " 1", "", "١", "NaN", "9" * 400, "true", "0x10"])  # noqa: RUF001  a digit that is not ASCII's
async def test_a_limit_out_of_bounds_is_422(client: AsyncClient, limit: str) -> None:
    answer = await client.get("/shelf", params={"limit": limit})

    assert answer.status_code == 422
    assert [(one["in"], one["pointer"]) for one in answer.json()["errors"]] == [("query", "/limit")]


async def test_next_keeps_what_was_asked_and_filters_hold_on_every_page(shop: Shop, client: AsyncClient) -> None:
    shop.put(*[{"name": name, "qty": qty} for name in ("a&b=c", "d e", "+") for qty in (1, 2, 3)])
    found = await pages(
        client, limit=1, order_by="-qty", name=["a&b=c", "+"], qty_from=2, made_from="2020-01-01T00:00:00+02:00"
    )

    assert [(page[0]["qty"], page[0]["name"]) for page in found] == [(3, "+"), (3, "a&b=c"), (2, "+"), (2, "a&b=c")]


async def test_a_list_has_a_head_with_the_headers_of_get(shop: Shop, client: AsyncClient) -> None:
    shop.put({}, {})
    get, head = await client.get("/shelf?limit=1"), await client.head("/shelf?limit=1")

    assert (head.status_code, head.content, head.headers["link"]) == (200, b"", get.headers["link"])


async def test_rows_may_be_of_any_class_and_need_not_have_the_columns_of_the_order(
    shop: Shop, client: AsyncClient
) -> None:
    shop.put({"name": "a"}, {"name": "b"})
    found = await pages(client, "/shelf/short", limit=1)

    assert found == [[{"name": "b"}], [{"name": "a"}]]


async def test_the_address_of_the_next_page_is_fit_for_a_header(shop: Shop, client: AsyncClient) -> None:
    shop.put({"name": 'a>; rel="x"\u00e4'}, {"name": 'a>; rel="x"\u00e4'})
    answer = await client.get("/shelf/of/a%3E;%20rel=%22x%22%C3%A4", params={"limit": 1})
    second = await client.get(f"http://test{answer.json()['next']}")

    assert answer.headers["link"].count(">") == 1
    assert (len(answer.json()["items"]), len(second.json()["items"])) == (1, 1)
