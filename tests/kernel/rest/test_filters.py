"""Filters and orders: what is declared and nothing else, each value of its column's type, none of it ever SQL."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from httpx import AsyncClient, Response
from sqlalchemy import Column, Integer, MetaData, String, Table, Uuid, func
from sqlalchemy.dialects.postgresql import ARRAY, CITEXT, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column

from vinc_kernel.rest import AuditColumns, Listing

from .conftest import Shop
from .shelf import Item

# Three values in their order for each kind of column, and how a caller writes the one in the middle.
VALUES: dict[str, tuple[list[Any], str]] = {
    "name": (["a", "a'\"\\%_ä𝄞", "b"], "a'\"\\%_ä𝄞"),
    "note": (["", "null", "x"], "null"),
    "code": ([UUID(int=1), UUID(int=2**64), UUID(int=2**128 - 1)], str(UUID(int=2**64)).upper()),
    "small": ([-(2**15), 0, 2**15 - 1], "0"),
    "qty": ([-(2**31), -1, 2**31 - 1], "-1"),
    "big": ([-(2**63), 2**53 + 1, 2**63 - 1], str(2**53 + 1)),
    "due": ([date(1, 1, 1), date(2024, 2, 29), date(9999, 12, 31)], "2024-02-29"),
    "made": (
        [datetime(2026, 1, 1, hour, 0, 0, microsecond, UTC) for hour, microsecond in ((1, 0), (1, 1), (2, 0))],
        "2026-01-01T03:00:00.000001+02:00",
    ),
}
RANGED = ["small", "qty", "big", "due", "made"]
DECLARED = {*VALUES, "open", *(f"{name}_{end}" for name in RANGED for end in ("from", "before"))}


async def found(shop: Shop, query: str) -> list[str]:
    """The ids of the rows."""
    async with shop.client() as client:
        answer = await client.get(f"/shelf?{query}")

    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def faults(answer: Response) -> Any:
    """The status, and where the faults of the query lie; of a page, its rows."""
    body = answer.json()
    if answer.status_code == 200:
        return 200, body["items"]
    return answer.status_code, [fault["pointer"] for fault in body["errors"] if fault["in"] == "query"]


async def each(shop: Shop, queries: list[str]) -> dict[str, Any]:
    async with shop.client() as client:
        return {query: faults(await client.get(f"/shelf?{query}")) for query in queries}


def stored(shop: Shop) -> Any:
    return shop.database.admin.execute("select i.*, xmin::text from shelf_item i order by tenant_id, id").fetchall()


@pytest.mark.parametrize("column", VALUES)
async def test_a_filter_finds_the_rows_of_its_value_and_no_others(shop: Shop, column: str) -> None:
    values, said = VALUES[column]
    low, middle, high = [str(one) for one in shop.put(*[{column: value} for value in values])]
    shop.put({column: values[1]}, tenant="other")
    said, last = quote(said), quote(str(values[2]).replace(" ", "T"))

    assert await found(shop, f"{column}={said}") == [middle]
    assert sorted(await found(shop, f"{column}={said}&{column}={last}&{column}={said}")) == sorted([middle, high])
    if column in RANGED:
        assert sorted(await found(shop, f"{column}_from={said}")) == sorted([middle, high])
        assert await found(shop, f"{column}_before={said}") == [low]
        assert await found(shop, f"{column}_from={said}&{column}_before={last}") == [middle]
        assert await found(shop, f"{column}_before={said}&{column}_from={said}") == []


async def test_a_filter_of_a_boolean_takes_the_two_words_of_json(shop: Shop) -> None:
    shut, opened = [str(one) for one in shop.put({"open": False}, {"open": True})]

    assert await found(shop, "open=true") == [opened]
    assert await found(shop, "open=false") == [shut]
    assert sorted(await found(shop, "open=true&open=false")) == sorted([shut, opened])


async def test_rows_must_satisfy_every_filter(shop: Shop) -> None:
    _, _, both = shop.put({"name": "a", "qty": 1}, {"name": "b", "qty": 2}, {"name": "a", "qty": 2})

    assert await found(shop, "name=a&qty=2&qty_from=2&qty_before=3&open=false") == [str(both)]
    assert await found(shop, "name=a&qty=3") == []


async def test_a_filter_of_text_may_ask_for_the_empty_one_and_never_finds_null(shop: Shop) -> None:
    empty, _ = shop.put({"note": ""}, {"note": None})

    assert await found(shop, "note=") == [str(empty)]
    assert await found(shop, "note=null") == []


COLUMNS = [column.name for column in Item.__table__.columns]
NAMES = [*COLUMNS, *(f"{name}_{end}" for name in COLUMNS for end in ("from", "before"))]
UNKNOWN = [*sorted({*NAMES} - DECLARED), *"""
    Name NAME name[] name__gt name.eq -name by_name vinc_by_name vinc_after vinc_limit given request response filters
    order offset page q Limit orderby __class__ model_fields copy shelf_item.name 'name "name" name;-- $1 * name=
""".split()]  # fmt: skip


async def test_a_parameter_that_is_not_declared_is_422_also_when_a_column_has_its_name(shop: Shop) -> None:
    shop.put({})
    answers = await each(shop, [f"{quote(name, safe='')}=1" for name in UNKNOWN])

    assert {query: answer for query, answer in answers.items() if answer[0] != 422 or len(answer[1]) != 1} == {}


async def test_there_is_no_difference_between_a_hidden_column_and_no_column(shop: Shop, client: AsyncClient) -> None:
    shop.put({"secret": "canary"})
    answers = [(await client.get(f"/shelf?{name}=canary")).json() for name in ("secret", "sesame")]
    orders = [(await client.get(f"/shelf?order_by={name}")).json() for name in ("secret", "sesame")]

    for one, other in (answers, orders):
        assert {**one, "request_id": "", "errors": 0} == {**other, "request_id": "", "errors": 0}
        assert str(one["errors"]).replace("secret", "sesame") == str(other["errors"])


NO_ORDERS = [*sorted({*COLUMNS} - DECLARED - {"id"}), "note", *"""
    Name NAME +name --name name,qty name.asc 0 1 -1 - random() (select) null name[] [] __class__ shelf_item.name
""".split(), "", " name", "name ", "name desc", "name\n", "name\x00", "id;", "\uff4eame"]  # fmt: skip


async def test_an_order_that_is_not_declared_is_422(shop: Shop) -> None:
    shop.put({})
    answers = await each(shop, [f"order_by={quote(sign + name)}" for name in NO_ORDERS for sign in ("", "-")])
    ordered = await each(shop, [f"order_by={name}" for name in ("name", "-name", "id", "-id", "open", "-made")])

    assert {query for query, answer in answers.items() if answer != (422, ["/order_by"])} == set()
    assert {query for query, (status, _) in ordered.items() if status != 200} == set()


INJECTIONS = [
    "' or 1=1 --", "' or ''='", "a') or ('1'='1", "'; drop table shelf_item; --", '"; drop table shelf_item; --', "\\'",
    "\\' or 1=1 --", "$$", "$1", "$vinc$;drop table shelf_item;$vinc$", "%", "%s", "%(vinc_limit)s", ":vinc_limit", "?",
    "1 or 1=1", "1; select pg_sleep(9)", "1) or (1=1", "0 union select secret from shelf_item", "(select 1)", "{}",
    "name desc", "name; delete from shelf_item", "case when 1=1 then name else secret end", "\u02bc or 1=1 --", "%27",
    "x' and set_config('vinc.tenant_id', '', true) is not null --", "name--", "/**/", "E'\\x27'", "null", "true' --",
    "2026-01-01' or '1'='1", "2026-01-01T00:00:00Z'; --", "00000000-0000-0000-0000-000000000000' or 1=1 --",
]  # fmt: skip
FIELDS = [*sorted(DECLARED), "order_by", "limit"]


@pytest.mark.parametrize("field", FIELDS)
async def test_sql_in_a_parameter_finds_nothing_and_changes_nothing(shop: Shop, field: str) -> None:
    for tenant in ("acme", "other"):
        shop.put({"name": "a", "note": "n"}, {"name": "b"}, tenant=tenant)
    before = stored(shop)
    answers = await each(shop, [f"{field}={quote(text, safe='')}" for text in INJECTIONS])

    allowed = {"(200, [])"} if field in {"name", "note"} else set()
    refused = {f"(422, ['/{field}'])", f"(422, ['/{field}/0'])"}
    assert {query: answer for query, answer in answers.items() if str(answer) not in refused | allowed} == {}
    assert stored(shop) == before


async def test_several_values_of_which_each_is_sql_find_nothing_and_change_nothing(shop: Shop) -> None:
    shop.put({"name": "a"})
    before = stored(shop)
    query = "&".join(f"name={quote(text)}" for text in [*INJECTIONS, "a,b", "{a}", '"a"', "a\\"])

    assert await found(shop, query) == []
    assert stored(shop) == before


NO_NUMBERS = [*"1_0 1.0 1e2 +1 01 0x1 - --1 true null NaN \u0661".split(), "", " 1", "1 ", str(2**63)]
NO_DAYS = ["5", "0", "1764000000", "20261124", "2026-1-1", "2026-02-29", "2026-11-24T00:00:00Z", "today", "infinity"]
NO_MOMENTS = ["5", "1764000000.5", "2026-11-24", "2026-11-24T12:00:00", "2026-11-24T25:00:00Z", "now", "-infinity", ""]
MISFITS: dict[str, list[str]] = {
    "name": ["\x00", "a\x00b"],
    "note": ["\x00"],
    "code": ["", "1", str(2**64), f"{UUID(int=1)}0", "\x00"],
    "small": [*NO_NUMBERS, str(2**15), str(-(2**15) - 1)],
    "qty": [*NO_NUMBERS, str(2**31), str(-(2**31) - 1)],
    "big": [*NO_NUMBERS, str(-(2**63) - 1), "9" * 400],
    "open": ["1", "0", "True", "TRUE", "t", "on", "yes", "", " true", "null"],
    "due": [*NO_DAYS, "0000-01-01", "10000-01-01", "2026-11-24 BC"],
    "made": [*NO_MOMENTS, "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"],
}


@pytest.mark.parametrize("column", MISFITS)
async def test_a_value_of_another_type_or_out_of_range_is_422(shop: Shop, column: str) -> None:
    names = [column, *((f"{column}_from", f"{column}_before") if column in RANGED else ())]
    answers = await each(shop, [f"{name}={quote(value)}" for name in names for value in MISFITS[column]])

    refused = [(422, [f"/{name}"]) for name in names] + [(422, [f"/{column}/0"])]
    assert {query: answer for query, answer in answers.items() if answer not in refused} == {}


@pytest.mark.parametrize("raw", ["%ED%A0%80", "%FF", "%C0%80", "a%E4", "%F4%90%80%80"])
async def test_bytes_that_are_no_utf_8_are_422_and_not_another_text(shop: Shop, client: AsyncClient, raw: str) -> None:
    shop.put(*[{"name": text} for text in ("\ufffd", "\ufffd\ufffd", "\ufffd\ufffd\ufffd", "a\ufffd", "a")])
    status, _ = faults(await client.get(f"/shelf?name={raw}"))

    assert status == 422


async def test_a_filter_takes_a_hundred_values_and_no_more(shop: Shop) -> None:
    hundred = "&".join(f"qty={number}" for number in range(100))
    answers = await each(shop, [hundred, f"{hundred}&qty=1"])

    assert list(answers.values()) == [(200, []), (422, ["/qty"])]


@pytest.mark.parametrize("name", ["order_by", "limit", "cursor", "qty_from", "made_before"])
async def test_a_parameter_of_one_value_that_is_doubled_is_422(shop: Shop, name: str) -> None:
    value = {"order_by": "name", "made_before": "2026-01-01T00:00:00Z"}.get(name, "1")
    answers = await each(shop, [f"{name}={value}&{name}={value}", f"{name}={value}&qty=1&%{ord(name[0]):x}{name[1:]}="])

    assert list(answers.values()) == [(422, [f"/{name}"])] * 2


async def test_all_faults_of_a_query_are_told_at_once(shop: Shop) -> None:
    answers = await each(shop, ["secret=1&qty=x&order_by=note&limit=0&made_from=1&open=true"])

    assert sorted(answers.popitem()[1][1]) == ["/limit", "/made_from", "/order_by", "/qty/0", "/secret"]


class Odds(DeclarativeBase):
    """Models of no table that is made."""


class Odd(AuditColumns, Odds):
    __tablename__ = "odd"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    mail: Mapped[str] = mapped_column(CITEXT)
    data: Mapped[Any] = mapped_column(JSONB)
    tags: Mapped[list[str]] = mapped_column(ARRAY(String))
    ratio: Mapped[float]
    blob: Mapped[bytes]
    plain: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    lower = column_property(func.lower("name"))


class Numbered(Odds):
    __tablename__ = "numbered"

    id: Mapped[float] = mapped_column(primary_key=True)
    name: Mapped[str]


TABLE = Table("bare", MetaData(), Column("id", Integer), Column("name", String))
NO_FILTERS: dict[str, Any] = {
    "numeric": Item.price,
    "enum": Item.mood,
    "naive timestamp": Item.local,
    "citext": Odd.mail,
    "jsonb": Odd.data,
    "array": Odd.tags,
    "float": Odd.ratio,
    "bytea": Odd.blob,
    "uuid as text": Odd.plain,
    "expression of the model's": Odd.lower,
    "function": func.lower(Item.name),
    "direction": Item.name.desc(),
    "label": Item.name.label("name"),
    "model": Item,
    "column of a table": TABLE.c.name,
    "name": "name",
    "None": None,
}
WRONG: dict[str, dict[str, Any]] = {
    **{f"filter: {kind}": {"filters": {"it": column}} for kind, column in NO_FILTERS.items()},
    **{f"order: {kind}": {"orders": {"name": Item.name, "it": column}} for kind, column in NO_FILTERS.items()},
    "order: nullable": {"orders": {"name": Item.name, "note": Item.note}},
    "order: of another table": {"orders": {"name": Item.name, "other": Odd.name}},
    "order: the usual is none": {"order": "qty"},
    "order: no usual": {"order": ""},
    "id: float": {"model": Numbered, "orders": {"name": Numbered.name}},
    "choices: of no filter": {"choices": {"name": ("a", "b")}},
    "choices: none": {"filters": {"name": Item.name}, "choices": {"name": ()}},
    "choices: one text": {"filters": {"name": Item.name}, "choices": {"name": "ab"}},
    "choices: numbers": {"filters": {"name": Item.name}, "choices": {"name": (1, 2)}},
    "choices: of a boolean": {"filters": {"open": Item.open}, "choices": {"open": ("true", "false")}},
    "name: a range's": {"filters": {"qty": Item.qty, "qty_from": Item.small}},
    "name: a range's, before": {"filters": {"qty_before": Item.small, "qty": Item.qty}},
    **{f"name: {name}": {"filters": {name: Item.name}} for name in ("limit", "cursor", "order_by")},
    **{
        f"name: {name!r}": {"filters": {name: Item.name}}
        for name in ("", "Name", "a-b", "a b", "1a", "_a", "a.b", "a[]", "ä", "a\n", "a'", 'a"')
    },
}


@pytest.mark.parametrize("given", WRONG.values(), ids=WRONG)
def test_a_listing_that_could_not_hold_fails_where_it_is_declared(given: dict[str, Any]) -> None:
    with pytest.raises(TypeError) as error:
        Listing(**{"model": Item, "orders": {"name": Item.name}, "order": "name", **given})

    assert str(error.value).startswith(f"{__file__}:{error.traceback[0].lineno + 1}: ")


async def test_a_filter_finds_text_in_any_unicode_form_and_an_id_in_one_spelling(
    shop: Shop, client: AsyncClient
) -> None:
    code = UUID("0199f3c8-0000-7000-8000-00000000000a")
    shop.put({"name": "Zo\u00eb", "code": code})
    answer = await client.get("/shelf", params={"name": "Zoe\u0308", "code": str(code)})
    refused = [await client.get("/shelf", params={"code": one}) for one in (code.hex, str(code).upper(), code.urn)]

    assert len(answer.json()["items"]) == 1
    assert [(one.status_code, one.json()["errors"][0]["code"]) for one in refused] == [(422, "uuid")] * 3
