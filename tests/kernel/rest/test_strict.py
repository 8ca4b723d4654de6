"""A value is what was sent, or refused: in bodies, addresses, headers and tenant settings, also of plain types."""

from __future__ import annotations

import enum
import json
import unicodedata
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
import pytest_asyncio
from fastapi import APIRouter, Header, Query
from httpx import AsyncClient, Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, JsonValue, ValidationError

from vinc_kernel import Contribution, TenantSettings, public
from vinc_kernel.rest import Boolean, Date, Integer, Json, Money, RequestModel, Text, UtcDateTime
from vinc_kernel.strict_json import parse_json

from ..conftest import AppOf, client_of

ID = "0199f3c8-0000-7000-8000-00000000000a"
SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)
NFD, NFC = "Zoe\u0308", "Zo\u00eb"


class Level(enum.IntEnum):
    low = 1


class Color(enum.Enum):
    red = "red"


class Rate(enum.Enum):
    half = 0.5
    whole = 1.0


class Tax(enum.Enum):
    low = Decimal("7.5")


class Red(BaseModel):
    color: Literal[Color.red]


class Blue(BaseModel):
    color: Literal["blue"]


class Part(BaseModel):
    """No RequestModel: a plugin may nest any model."""

    number: int


@dataclass
class Line:
    number: int


class Plain(RequestModel):
    number: int = 0
    flag: bool = False
    share: float = 0.0
    name: str = ""
    filled: str = Field(default="a", min_length=1)
    price: Decimal = Decimal(0)
    at: datetime = SOME_TIME
    on: date = date.min
    clock: time = time.min
    length: timedelta = timedelta(0)
    key: UUID = UUID(int=0)
    one: Literal[1, "b"] = 1
    level: Level = Level.low
    red: Literal[Color.red] = Color.red
    rate: Rate = Rate.half
    tax: Tax = Tax.low
    odd: Literal[True, 2] = 2
    box: Annotated[Red | Blue, Field(discriminator="color")] | None = None
    numbers: Annotated[list[int], Field(max_length=9)] = []
    parts: dict[str, Part] = {}
    line: Line | None = None
    maybe: int | None = None
    metadata: dict[str, Any] = {}
    type: int = 0
    value: JsonValue = None


class Ours(RequestModel):
    number: Integer = 0
    few: Annotated[Integer, Field(ge=1)] = 1
    flag: Boolean = False
    name: Text = ""
    filled: Annotated[Text, Field(min_length=1, max_length=3)] = "a"
    price: Money = Decimal(0)
    at: UtcDateTime = SOME_TIME
    on: Date = date.min
    free: Json = None


class Terms(TenantSettings):
    days: int = 1
    few: Integer = 1
    loud: bool = False
    price: Decimal = Decimal(1)
    key: UUID = UUID(int=0)
    since: date = date.min


@pytest_asyncio.fixture
async def strict(app_of: AppOf) -> AsyncGenerator[AsyncClient]:
    router = APIRouter(prefix="/strict", dependencies=[public("a test")])

    @router.post("/plain")
    async def plain(body: Plain) -> dict[str, Any]:
        return {name: str(value) if isinstance(value, Decimal) else value for name, value in body}

    @router.post("/ours")
    async def ours(body: Ours) -> Ours:
        return body

    @router.post("/bare")
    async def bare(body: Annotated[list[Integer], Field(max_length=9)]) -> list[int]:
        return body

    @router.get("/{key}")
    async def address(
        key: UUID,
        *,
        number: int = 0,
        flag: bool = False,
        name: str = "",
        level: Level | None = None,
        share: float = 0.0,
        one: Literal[1, True, None] = None,  # noqa: PYI061  null as a choice of its own
        x_key: Annotated[UUID | None, Header()] = None,
    ) -> list[Any]:
        return [key, number, flag, name, x_key]

    @router.get("")
    async def by_model(query: Annotated[Ours, Query()]) -> Ours:
        return query

    async with client_of(app_of(strict=Contribution(routers=[router]))) as client:
        yield client


async def post(client: AsyncClient, where: str, text: str) -> Response:
    headers = {"Content-Type": "application/json"}
    return await client.post(f"/strict/{where}", content=text.encode(), headers=headers)


NO_INTEGER = ['"1"', "true", "1.0", "1e0", '"1_0"']
NO_MOMENT = ["1", "true", '"2026-01-01"', '"2026-01-01T00:00:00"', '"2026-01-01T00:00:00.1234567Z"']
NO_YEAR = ['"0001-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59-12:00"']
NO_ID = [ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", ID.upper(), f" {ID}"]
REFUSED = {
    "plain": {
        "number": NO_INTEGER,
        "type": NO_INTEGER,
        "maybe": NO_INTEGER,
        "numbers": ['["1"]', "[true]", "[1.0]"],
        "parts": ['{"a": {"number": "1"}}', '{"a": {"number": true}}'],
        "line": ['{"number": "1"}'],
        "flag": ['"yes"', '"true"', "1", "0", '"on"'],
        "share": ['"1"', "true"],
        "name": ["1", "true", '"a\\u0000"'],
        "filled": ['""', '" "', '"\\u00a0\\t"'],
        "price": ["true", '"1_0"', '"NaN"', '" 1"', '"1e3"', "1e-999999", f"0.{'1' * 500}", '"\u0663"'],
        "at": [*NO_MOMENT, *NO_YEAR],
        "on": ["1", "20260101", '"2026-01-01T00:00:00"'],
        "clock": ["1", '"12:00:00.1234567"'],
        "length": ["1", "true", '"PT0.0000001S"'],
        "key": ["1", *(f'"{one}"' for one in NO_ID)],
        "one": ["true", "1.0", '"1"'],
        "level": ["true", "1.0", '"1"'],
        "red": ["1", '"blue"'],
        "rate": ["true", '"0.5"', "0.25"],
        "tax": ["true", "7", '"7"'],
        "odd": ["1", "2.0"],
    },
    "ours": {
        "number": [*NO_INTEGER, "9223372036854775808"],
        "few": [*NO_INTEGER, "0"],
        "flag": ['"yes"', '"true"', "1"],
        "name": ["1", '"  "'],
        "filled": ['""', '"  "', '"abcd"'],
        "price": ["true", '"1_0"', "1e-999999", "0.12345", '"1e3"'],
        "at": [*NO_MOMENT, *NO_YEAR],
        "on": ["1", '"2026-01-01T00:00:00"'],
    },
}


@pytest.mark.parametrize(
    ("where", "field", "value"),
    [
        (where, field, value)
        for where, fields in REFUSED.items()
        for field, values in fields.items()
        for value in values
    ],
)
async def test_what_only_resembles_a_value_is_422_where_it_stands(
    strict: AsyncClient, where: str, field: str, value: str
) -> None:
    answer = await post(strict, where, f'{{"{field}": {value}}}')

    assert answer.status_code == 422, answer.text
    assert {error["pointer"].split("/")[1] for error in answer.json()["errors"]} == {field}
    assert not {error["message"] for error in answer.json()["errors"]} & {"is not valid"}


TAKEN = {
    "plain": [
        ("number", "7", 7),
        ("flag", "true", True),
        ("share", "1", 1.0),
        ("share", "1.5", 1.5),
        ("name", f'"{NFD}"', NFC),
        ("name", '" "', " "),
        ("price", "1234567890123.4567", "1234567890123.4567"),
        ("price", '"1234567890123.4567"', "1234567890123.4567"),
        ("price", "12", "12"),
        ("price", "1.2e2", "120"),
        ("at", '"2026-01-01T00:00:00Z"', "2026-01-01T00:00:00Z"),
        ("at", '"2026-01-01T02:00:00+02:00"', "2026-01-01T00:00:00Z"),
        ("on", '"2026-01-01"', "2026-01-01"),
        ("clock", '"12:00:00"', "12:00:00"),
        ("key", f'"{ID}"', ID),
        ("one", "1", 1),
        ("one", '"b"', "b"),
        ("level", "1", 1),
        ("red", '"red"', "red"),
        ("rate", "0.5", 0.5),
        ("rate", "1", 1.0),
        ("tax", "7.5", "7.5"),
        ("tax", '"7.5"', "7.5"),
        ("odd", "true", True),
        ("box", '{"color": "red"}', {"color": "red"}),
        ("line", '{"number": 1}', {"number": 1}),
        ("metadata", '{"a": [1.5, true, 1e3, "' + NFD + '"]}', {"a": [1.5, True, 1000.0, NFD]}),
        ("value", '{"a": 1.5}', {"a": 1.5}),
    ],
    "ours": [
        ("number", "-7", -7),
        ("price", "1234567890123.4567", "1234567890123.4567"),
        ("price", '"12.50"', "12.50"),
        ("price", "1e3", "1000"),
        ("filled", f'"{NFD[1:]}"', NFC[1:]),
        ("free", "[1.5, 0.1]", [1.5, 0.1]),
        ("at", '"2026-01-01T02:00:00+02:00"', "2026-01-01T00:00:00Z"),
    ],
}


@pytest.mark.parametrize(
    ("where", "field", "value", "kept"), [(where, *one) for where, ones in TAKEN.items() for one in ones]
)
async def test_what_is_meant_is_taken_whole(strict: AsyncClient, where: str, field: str, value: str, kept: Any) -> None:
    answer = await post(strict, where, f'{{"{field}": {value}}}')

    assert answer.status_code == 200, answer.text
    assert answer.json()[field] == kept


@pytest.mark.parametrize(("value", "status"), [("[1]", 200), ('["1"]', 422), ("[true]", 422), ("[1.0]", 422)])
async def test_a_body_that_is_no_model_is_strict_too(strict: AsyncClient, value: str, status: int) -> None:
    assert (await post(strict, "bare", value)).status_code == status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/{ID}?number=7&flag=true&name={NFD}", 200),
        *((f"/{one}", 422) for one in NO_ID[:4]),
        *((f"/{ID}?number={one}", 422) for one in ("1_0", "1.0", "true", "%201")),
        *((f"/{ID}?flag={one}", 422) for one in ("yes", "1", "on")),
        (f"/{ID}?name=%00", 422),
        (f"/{ID}?level=1", 200),
        *((f"/{ID}?level={one}", 422) for one in ("%201", "1.0", "true")),
        *((f"/{ID}?one={one}", 200) for one in ("1", "true")),
        *((f"/{ID}?one={one}", 422) for one in ("None", "True", "1.0")),
        *((f"/{ID}?share={one}", 200) for one in ("1", "-1.5", "1e3")),
        *((f"/{ID}?share={one}", 422) for one in ("nan", "inf", "1e400", "1_0", "%201%20", "true")),
        ("?number=7&flag=true&price=12.50", 200),
        ("?number=7.0", 422),
    ],
)
async def test_addresses_have_texts_in_one_form(strict: AsyncClient, path: str, status: int) -> None:
    answer = await strict.get(f"/strict{path}")

    assert answer.status_code == status, answer.text
    if "name=Z" in path:
        assert answer.json() == [ID, 7, True, NFC, None]


@pytest.mark.parametrize(("value", "status"), [(ID, 200), *((one, 422) for one in NO_ID[:4])])
async def test_headers_have_ids_in_one_form(strict: AsyncClient, value: str, status: int) -> None:
    assert (await strict.get(f"/strict/{ID}", headers={"X-Key": value})).status_code == status


@pytest.mark.parametrize(
    "stored",
    [{"days": True}, {"days": "1"}, {"days": "1_0"}, {"days": 1.0}, {"few": "1"}, {"few": True}, {"loud": "yes"},
     {"loud": 1}, {"price": "1_0"}, {"price": True}, {"key": ID.replace("-", "")}, {"since": 1}],
    ids=str,
)  # fmt: skip
def test_settings_of_tenants_are_strict(stored: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(stored)

    assert Terms.from_stored(stored) == (Terms(), list(stored))


def test_settings_of_tenants_take_what_json_has_for_them() -> None:
    stored = {"days": 7, "few": 2, "loud": True, "price": "1.50", "key": ID, "since": "2026-01-01"}
    terms = Terms.model_validate(stored)

    assert terms == Terms(days=7, few=2, loud=True, price=Decimal("1.50"), key=UUID(ID), since=date(2026, 1, 1))


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.decimals(allow_nan=False, allow_infinity=False, places=4)
    | st.text(max_size=5)
    | st.sampled_from(["1", "true", "yes", "1_0", ID, "2026-01-01", "2026-01-01T00:00:00Z", NFD, "12:00:00", "PT1S"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


def same(kept: Any, sent: Any) -> bool:  # noqa: PLR0911  one for each type
    """Whether this is what was sent: of the same type of JSON and equal, in Unicode's form NFC."""
    if isinstance(kept, BaseModel | Line):
        return all(same(getattr(kept, name), value) for name, value in sent.items())
    if isinstance(kept, Decimal):
        return not isinstance(sent, bool) and kept == Decimal(str(sent))
    if isinstance(kept, date | time | timedelta | UUID):
        return isinstance(sent, str)
    if isinstance(kept, str):
        return isinstance(sent, str) and kept in {sent, unicodedata.normalize("NFC", sent)}
    if isinstance(kept, list):
        return all(map(same, kept, sent))
    if isinstance(kept, dict):
        return all(same(value, sent[name]) for name, value in kept.items())
    if isinstance(kept, float):
        return not isinstance(sent, bool | str) and kept == float(sent)
    return isinstance(kept, bool) is isinstance(sent, bool) and kept == sent and not isinstance(sent, Decimal)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(model=st.sampled_from([Plain, Ours]), data=st.data(), sent=values)
def test_what_is_kept_is_what_was_sent_or_it_is_refused(model: type[RequestModel], data: Any, sent: Any) -> None:
    field = data.draw(st.sampled_from(sorted(model.model_fields)))
    try:
        body = parse_json(written({field: sent}).encode())
        kept = model.model_validate(body)
    except (ValidationError, json.JSONDecodeError):
        return

    assert same(getattr(kept, field), sent)


def written(value: Any) -> str:
    """JSON with decimals as numbers, digit by digit."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(name)}: {written(one)}' for name, one in value.items())}}}"
    return json.dumps(value)


MOMENT, AWARE = "must be a moment like 2026-11-24T12:00:00Z", "must have an offset, as in 2026-11-24T12:00:00Z"
UUID_RULE = "must be an id like 0199f3c8-0000-7000-8000-00000000000a, in lower case"
SAID = [
    ("plain", "", ("", "missing", "is required")),
    ("plain", '{"filled": ""}', ("/filled", "string_too_short", "must have at least 1 character")),
    ("ours", '{"filled": ""}', ("/filled", "too_short", "must have at least 1 character")),
    ("ours", '{"filled": "character"}', ("/filled", "too_long", "must have at most 3 characters")),
    ("ours", '{"filled": "  "}', ("/filled", "blank", "must have more than blanks")),
    ("ours", '{"few": 0}', ("/few", "greater_than_equal", "must be at least 1")),
    ("ours", '{"number": "1"}', ("/number", "int_type", "must be a whole number")),
    ("ours", '{"flag": "true"}', ("/flag", "bool_type", "must be true or false")),
    ("ours", '{"at": "moment"}', ("/at", "timestamp", MOMENT)),
    ("ours", '{"at": "2026-13-01T00:00:00Z"}', ("/at", "datetime_from_date_parsing", MOMENT)),
    ("ours", '{"on": "2026-02-30"}', ("/on", "date_from_datetime_parsing", "must be a day like 2026-11-24")),
    ("ours", '{"required": 1}', ("/required", "extra_forbidden", "is not known here")),
    ("ours", "[]", ("", "model_attributes_type", "must be an object")),
    ("plain", '{"one": "required"}', ("/one", "literal_error", "must be 1 or 'b'")),
    ("plain", '{"at": "2026-01-01T00:00:00"}', ("/at", "timezone_aware", AWARE)),
    ("plain", f'{{"key": " {ID}"}}', ("/key", "uuid", UUID_RULE)),
]  # fmt: skip


@pytest.mark.parametrize(("where", "body", "said"), SAID, ids=str)
async def test_an_error_says_to_people_what_is_wrong(
    strict: AsyncClient, where: str, body: str, said: tuple[str, str, str]
) -> None:
    (error,) = (await post(strict, where, body)).json()["errors"]

    assert (error["pointer"], error["code"], error["message"]) == said


async def test_money_has_one_form_in_the_document(app_of: AppOf) -> None:
    router = APIRouter(prefix="/strict", dependencies=[public("a test")])

    @router.post("/money")
    async def money(body: Ours) -> Ours:
        return body

    document = json.loads(app_of(strict=Contribution(routers=[router])).openapi())
    schemas = [one["properties"]["price"] for name, one in document["components"]["schemas"].items() if "Ours" in name]
    texts = [kind for one in schemas for kind in one.get("anyOf", [one]) if kind.get("type") == "string"]

    assert len(schemas) == len(texts) == 2
    assert {one["pattern"] for one in texts} == {r"^-?(0|[1-9][0-9]{0,13})(\.[0-9]{1,4})?$"}
