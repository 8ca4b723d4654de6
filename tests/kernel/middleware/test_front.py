"""The way of a request, seen from outside."""

from __future__ import annotations

import asyncio
import io
import json
from json import JSONDecodeError
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import pytest
from fastapi import APIRouter, Depends, HTTPException, Query
from httpx import AsyncClient
from pydantic import BaseModel, Field, SecretStr
from starlette.responses import JSONResponse, StreamingResponse

from vinc_kernel import Conflict, Contribution, NotFound, Principal, current_principal, public, require_roles, signed_in
from vinc_kernel.settings import LogSettings
from vinc_kernel.strict_json import parse_json
from vinc_kernel.telemetry import configure

from ...credentials import credentials
from ..conftest import AppOf, client_of

VIEWER = credentials("alice;viewer;acme")


class Login(BaseModel):
    name: str
    password: SecretStr
    level: int = 0


def things() -> Contribution:
    router = APIRouter(prefix="/things")
    everybody, members = [public("a test")], [signed_in]

    @router.get("", dependencies=everybody)
    async def listed(limit: int = 10, tag: Annotated[list[str] | None, Query()] = None) -> dict[str, Any]:
        return {"limit": limit, "tag": tag}

    @router.post("", dependencies=members, status_code=201)
    async def create(login: Login) -> dict[str, str]:
        return {"name": login.name}

    @router.post("/echo", dependencies=members)
    async def echo(given: dict[str, Any]) -> dict[str, Any]:
        return given

    @router.get("/who", dependencies=members)
    async def who(principal: Annotated[Principal, Depends(current_principal)]) -> dict[str, str]:
        return {"subject": principal.subject, "role": principal.role}

    @router.get("/broken", dependencies=everybody)
    async def broken() -> None:
        message = "canary-7f3a"
        raise RuntimeError(message)

    @router.get("/taken", dependencies=everybody)
    async def taken() -> None:
        raise Conflict("There is one of that name.")

    @router.get("/teapot", dependencies=everybody)
    async def teapot() -> None:
        raise HTTPException(418, "short and stout")

    @router.get("/large", dependencies=everybody)
    async def large() -> list[str]:
        return ["a thing"] * 500

    @router.get("/cached", dependencies=everybody)
    async def cached() -> JSONResponse:
        return JSONResponse({}, headers={"Cache-Control": "public, max-age=60"})

    @router.get("/half", dependencies=everybody)
    async def half() -> StreamingResponse:
        async def parts() -> Any:
            yield b"one"
            message = "canary-after-the-first-byte"
            raise RuntimeError(message)

        return StreamingResponse(parts())

    return Contribution(routers=[router])


@pytest.fixture
def api(app_of: AppOf) -> AsyncClient:
    return client_of(app_of(things=things()))


async def test_a_request_id_is_made_and_is_in_the_problem(api: AsyncClient) -> None:
    answer = await api.get("/nothing")

    assert len(answer.headers["x-request-id"]) == 32
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("sent", "taken"), [("abc-1._Z", True), ("", False), ("a\tb", False), ("a" * 65, False), ("a b", False)]
)
async def test_a_request_id_is_taken_over_when_well_formed(api: AsyncClient, sent: str, *, taken: bool) -> None:
    answer = await api.get("/things", headers={"X-Request-ID": sent})

    assert (answer.headers["x-request-id"] == sent) is taken


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/nothing", 404, "not-found"),
        ("/things/", 404, "not-found"),
        ("/things/taken", 409, "conflict"),
        ("/things/teapot", 418, "im-a-teapot"),
        ("/things/broken", 500, "internal-error"),
        ("/things/who", 401, "unauthorized"),
        ("/things?limit=x", 422, "unprocessable"),
    ],
)
async def test_every_error_is_a_problem_document(api: AsyncClient, path: str, status: int, kind: str) -> None:
    answer = await api.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"] == f"urn:vinc:problem:{kind}"
    assert problem["instance"].endswith(path.partition("?")[0])
    assert "canary" not in answer.text


async def test_an_anonymous_caller_with_a_broken_body_gets_401(api: AsyncClient) -> None:
    answer = await api.post("/things", content=b"{broken")

    assert answer.status_code == 401


async def test_a_wrong_method_lists_all_that_the_path_takes(api: AsyncClient) -> None:
    answer = await api.delete("/things")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")


async def test_head_is_served_by_get_and_has_no_body(api: AsyncClient) -> None:
    got, head = await api.get("/things"), await api.head("/things")

    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == got.headers["content-length"]


@pytest.mark.usefixtures("root_logger")
async def test_every_record_of_a_request_has_its_id_and_its_plugin(api: AsyncClient) -> None:
    stream = io.StringIO()
    configure(LogSettings(format="json"), stream=stream)
    await api.get("/things/broken", headers={"X-Request-ID": "trace-1"})

    record = next(one for one in map(json.loads, stream.getvalue().splitlines()) if one["event"] == "a request failed")
    assert (record["request_id"], record["plugin"], record["tenant"]) == ("trace-1", "things", "vinc")


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


def pets() -> Contribution:
    router = APIRouter(prefix="/things", dependencies=[public("a test")])

    @router.post("/pets")
    async def adopt(pet: Annotated[Cat | Dog, Field(discriminator="kind")], zone: ZoneInfo | None = None) -> str:
        return f"{pet.kind} {zone}"

    @router.get("/{how}")
    async def leave(how: str) -> None:
        ends: dict[str, BaseException] = {
            "exit": SystemExit(3),
            "interrupt": KeyboardInterrupt(),
            "cancelled": asyncio.CancelledError(),
            "group": BaseExceptionGroup("canary", [SystemExit()]),
            "header": NotFound("canary", headers={"X-Odd": "€\r\nX-Forged: 1"}),
        }
        raise ends[how]

    return Contribution(routers=[router])


@pytest.fixture
def petshop(app_of: AppOf) -> AsyncClient:
    return client_of(app_of(things=pets()))


@pytest.mark.parametrize("tag", ["hunter2-canary", "canary" * 100_000])
async def test_a_message_with_something_of_the_input_in_it_is_left_out(petshop: AsyncClient, tag: str) -> None:
    answers = [
        await petshop.post("/things/pets", json={"pet": {"kind": tag}}),
        await petshop.post("/things/pets", json={"pet": {"kind": "cat"}, "zone": tag}),
    ]

    for answer in answers:
        assert answer.status_code == 422
        assert "canary" not in answer.text


@pytest.mark.parametrize("how", ["exit", "interrupt", "cancelled", "group", "header"])
async def test_whatever_a_handler_raises_is_answered_by_a_problem(petshop: AsyncClient, how: str) -> None:
    answer = await petshop.get(f"/things/{how}")

    assert answer.status_code == (404 if how == "header" else 500)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "x-forged" not in answer.headers


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip", True), ("identity", False), ("gzip;q=0", False), ("br, gzip; q=0.0, x", False), ("gzip;q=0.5", True)],
)
async def test_gzip_is_for_who_takes_it(api: AsyncClient, accepted: str, *, packed: bool) -> None:
    answer = await api.get("/things/large", headers={"Accept-Encoding": accepted})

    assert (answer.headers.get("content-encoding") == "gzip") is packed
    assert answer.json() == ["a thing"] * 500


async def test_a_problem_never_carries_the_input_back(api: AsyncClient) -> None:
    secret = "hunter2-canary"
    answer = await api.post(
        "/things", headers=VIEWER, json={"name": ["x" * 1_000_000], "password": {"a": secret}, "level": secret}
    )

    assert answer.status_code == 422
    assert secret not in answer.text
    assert len(answer.content) < 2000
    pointers = [(fault["in"], fault["pointer"]) for fault in answer.json()["errors"]]
    assert pointers == [("body", "/name"), ("body", "/password"), ("body", "/level")]


DOUBLED = "an object has two members of one name"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"name": "a", "name": "b"}', DOUBLED),
        (b'{"name": "a", "name": null}', DOUBLED),
        (b'{"name": "a", "\\u006eame": "b"}', DOUBLED),
        (b'{"name": {"x": 1, "x": 2}}', DOUBLED),
        (b'{"name": ', "Expecting value"),
        (b"name=a", "Expecting value"),
        (b'{"name": "a"} {}', "Extra data"),
        (b'{"level": NaN}', "NaN and Infinity are no JSON"),
        (b'{"level": 1e999}', "a number is out of range"),
        (b'{"name": "\\ud800"}', "a text has half of a surrogate pair"),
        (b'{"name": "\xff"}', "it is not UTF-8"),
        ('{"name": "a"}'.encode("utf-16"), "it is not UTF-8"),
        (b'{"name": ' + b"[" * 70 + b"]" * 70 + b"}", "it is nested more than 64 levels deep"),
        (b"[" * 10_000, "it has more than 10000 values"),
    ],
)
@pytest.mark.parametrize("path", ["/things", "/things/echo"], ids=["a model", "a plain dict"])
async def test_a_body_that_is_no_strict_json_is_422_and_says_why(
    api: AsyncClient, path: str, body: bytes, told: str
) -> None:
    answer = await api.post(path, content=body, headers=VIEWER | {"Content-Type": "application/json"})

    (fault,) = answer.json()["errors"]
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (fault["in"], fault["pointer"], fault["code"]) == ("body", "", "json_invalid")
    assert fault["message"] == f"is no strict JSON: {told}"


def test_brackets_that_python_cannot_or_need_not_follow_are_refused() -> None:
    for body in (b"[" * 9000, b"[" * 4000 + b"]" * 4000):
        with pytest.raises(JSONDecodeError):
            parse_json(body)


async def test_a_query_name_that_is_no_list_may_not_be_doubled(api: AsyncClient) -> None:
    doubled, listed = await api.get("/things?limit=1&limit=2"), await api.get("/things?tag=a&tag=b&limit=1")

    assert (doubled.status_code, doubled.json()["errors"][0]["pointer"]) == (422, "/limit")
    assert listed.json() == {"limit": 1, "tag": ["a", "b"]}


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Tenant-ID", "acme"), ("X-Tenant-ID", "globex")],
        [("X-Tenant-ID", "globex"), ("X-Tenant-ID", "acme")],
        [("Authorization", "Bearer a"), ("Authorization", "Bearer b")],
        [("X_Tenant_ID", "acme")],
        [("X-Tenant-ID", "acme"), ("X_Tenant_ID", "globex")],
        [("X-Tenant-ID", "acme"), ("X-Tenant_ID", "globex")],
        [("X_Tenant-ID", "globex")],
        [("X-Tenant-ID", "a" * 65)],
        [("X-Tenant-ID", b"\xe4cme")],
    ],
)
async def test_a_header_that_decides_is_given_once_and_well_formed(
    api: AsyncClient, headers: list[tuple[Any, Any]]
) -> None:
    raw = [(name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in headers]
    answer = await api.get("/things", headers=raw)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["in"] == "header"


async def test_production_believes_nobody_who_is_not_listed(app_of: AppOf) -> None:
    api = client_of(
        app_of({"VINC_ENV": "prod", "VINC_SECRET_KEY": "s" * 32, "VINC_JWT_TEST_SECRET": ""}, things=things())
    )

    assert (await api.get("/things/who", headers=VIEWER)).status_code == 401
    assert (await api.get("/things")).status_code == 200


async def test_every_answer_is_private_unless_the_route_says_otherwise(api: AsyncClient) -> None:
    usual, missing, cached = await api.get("/things"), await api.get("/none"), await api.get("/things/cached")

    assert usual.headers["cache-control"] == missing.headers["cache-control"] == "private, no-cache"
    assert usual.headers["vary"] == "Authorization, X-Tenant-ID"
    assert cached.headers.get_list("cache-control") == ["public, max-age=60"]


async def test_an_error_after_the_first_byte_breaks_the_answer_off(api: AsyncClient) -> None:
    with pytest.raises(RuntimeError):
        await api.get("/things/half", headers={"Accept-Encoding": "identity"})


async def test_cors_lets_a_known_origin_read_what_clients_need(app_of: AppOf) -> None:
    api = client_of(app_of({"VINC_CORS_ORIGINS": "https://app.example"}, things=things()))
    known = await api.get("/things/who", headers={"Origin": "https://app.example"})
    other = await api.get("/things", headers={"Origin": "https://evil.example"})

    assert known.status_code == 401
    assert known.headers["access-control-allow-origin"] == "https://app.example"
    assert set(known.headers["access-control-expose-headers"].split(", ")) == {
        "ETag", "Link", "Location", "Retry-After", "X-Request-ID"
    }  # fmt: skip
    assert "access-control-allow-origin" not in other.headers


async def test_a_preflight_is_answered_and_a_refused_one_is_a_problem(app_of: AppOf) -> None:
    api = client_of(app_of({"VINC_CORS_ORIGINS": "https://app.example"}, things=things()))
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, x-tenant-id"}
    known = await api.options("/things", headers=asked | {"Origin": "https://app.example"})
    other = await api.options("/things", headers=asked | {"Origin": "https://evil.example"})

    assert known.status_code == 200
    assert (other.status_code, other.headers["content-type"]) == (400, "application/problem+json")


async def test_a_role_is_asked_for_by_its_name() -> None:
    assert require_roles("viewer").dependency is require_roles("viewer").dependency


async def test_the_prefix_is_a_setting_and_health_probes_lie_at_the_root(app_of: AppOf) -> None:
    app = app_of({"VINC_API_V1_PREFIX": "/v2"}, things=things())

    assert {one.path for one in app.routes if one.plugin == "things"} >= {"/v2/things", "/v2/things/who"}


@pytest.mark.parametrize("evil", ["http://evil.example", "evil.example"])
@pytest.mark.parametrize("path", ["/things", "/things/", "/docs", "/docs/", "/nothing/"])
async def test_no_answer_follows_the_host_header(api: AsyncClient, path: str, evil: str) -> None:
    answer = await api.get(path, headers={"Host": evil})

    assert answer.status_code in {200, 404}
    assert "location" not in answer.headers
    assert "evil" not in answer.text
