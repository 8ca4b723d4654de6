"""The OpenAPI document: one a plugin, joined; names never depend on which others run."""

import json
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import APIRouter, Header
from pydantic import BaseModel, Field

from vinc_kernel import (
    Capability,
    Contribution,
    Issuer,
    Role,
    SignIn,
    Tenant,
    TenantDirectory,
    public,
    require_capabilities,
    signed_in,
)
from vinc_kernel.app import Application
from vinc_kernel.rest import Integer, Text

from ..credentials import credentials
from .conftest import AppOf, OneTenant, client_of
from .rest import shelf


def books() -> Contribution:
    class Item(BaseModel):
        title: str

    manage = Capability("books.manage", title="Write books", roles=["writer"])
    router = APIRouter(prefix="/books")

    @router.get("/{number:int}", dependencies=[public("a test")])
    async def read(number: int) -> Item:
        return Item(title=str(number))

    @router.post("", dependencies=[require_capabilities(manage)])
    async def write(item: Item) -> Item:
        return item

    return Contribution(
        routers=[router],
        capabilities=[manage],
        provides=[TenantDirectory],
        roles=[Role(name="writer", title="", rank=1)],
    )


def films() -> Contribution:
    class Item(BaseModel):
        minutes: int

    router = APIRouter(prefix="/films", dependencies=[signed_in])

    @router.get("")
    async def read() -> Item:
        return Item(minutes=1)

    return Contribution(routers=[router])


def document(app: Application) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(app.openapi())
    return made


@pytest.fixture
def both(app_of: AppOf) -> Application:
    return app_of(books=books(), films=films())


def test_two_models_of_one_name_are_told_apart_by_their_plugins(both: Application) -> None:
    schemas = document(both)["components"]["schemas"]

    assert set(schemas) == {"Problem", "books.Item", "films.Item"}
    assert set(schemas["films.Item"]["properties"]) == {"minutes"}


def test_operations_are_named_by_plugin_and_function(both: Application) -> None:
    paths = document(both)["paths"]
    names = {operation["operationId"] for item in paths.values() for operation in item.values()}

    assert names == {"books_read", "books_write", "films_read"}
    assert set(paths) == {"/api/v1/books/{number}", "/api/v1/books", "/api/v1/films"}


def test_a_plugin_is_described_the_same_whoever_else_runs(both: Application, app_of: AppOf) -> None:
    alone = document(app_of(films=films()))
    together = document(both)

    assert alone["paths"]["/api/v1/films"] == together["paths"]["/api/v1/films"]
    assert alone["components"]["schemas"]["films.Item"] == together["components"]["schemas"]["films.Item"]


def test_every_operation_says_that_its_errors_are_problems(both: Application) -> None:
    for item in document(both)["paths"].values():
        for operation in item.values():
            assert {"4XX", "5XX"} <= set(operation["responses"])
            assert "422" not in operation["responses"]


def test_every_reference_leads_somewhere(both: Application) -> None:
    made = document(both)
    text = json.dumps(made)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "#/')[1:]}:
        found: Any = made
        for step in reference.split("/"):
            found = found[step]


def test_what_a_caller_must_bring_is_told(both: Application) -> None:
    paths = document(both)["paths"]

    def headers(operation: dict[str, Any]) -> list[tuple[str, bool]]:
        return [(one["name"], one["required"]) for one in operation.get("parameters", ()) if one["in"] == "header"]

    public, write, read = (
        paths[path][method]
        for path, method in (("/api/v1/books/{number}", "get"), ("/api/v1/books", "post"), ("/api/v1/films", "get"))
    )
    assert (public["security"], headers(public)) == ([], [])
    assert (write["security"], headers(write)) == ([{"token": []}], [("X-Tenant-ID", False)])
    assert (read["security"], headers(read)) == ([{"token": []}], [("X-Tenant-ID", False)])
    assert set(document(both)["components"]["securitySchemes"]) == {"token"}


def test_headers_and_errors_of_a_routes_own_stand_beside_the_problems_of_the_kernel(app_of: AppOf) -> None:
    class Refusal(BaseModel):
        error: str

    router = APIRouter(prefix="/films", dependencies=[public("a test")])

    @router.get("", responses={400: {"model": Refusal}, 302: {"description": "Elsewhere."}})
    async def read(x_color: str = Header()) -> str:
        raise NotImplementedError

    made = document(app_of(films=Contribution(routers=[router])))
    described = made["paths"]["/api/v1/films"]["get"]
    responses = described["responses"]

    assert described["parameters"][0]["name"] == "x-color"
    assert responses["400"]["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/films.Refusal"}},
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
    }
    assert "content" not in responses["302"]
    assert set(responses) == {"200", "302", "400", "4XX", "5XX"}


async def test_the_document_and_the_page_are_served_unless_switched_off(app_of: AppOf) -> None:
    shown, hidden = client_of(app_of(films=films())), client_of(app_of({"VINC_DOCS": "false"}, films=films()))

    assert (await shown.get("/openapi.json")).json()["openapi"] == "3.1.0"
    assert (await hidden.get("/openapi.json")).status_code == 404
    assert (await hidden.get("http://test/docs")).status_code == 404


async def test_the_page_names_no_other_host(app_of: AppOf) -> None:
    api = client_of(app_of(films=films()))
    page = await api.get("http://test/docs")

    assert "http" not in page.text.replace("http-equiv", "")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png", "start.js"):
        answer = await api.get(f"http://test/docs/{asset}")
        assert answer.status_code == 200
        assert len(answer.content) > 50


@pytest.fixture
def shelves(app_of: AppOf) -> dict[str, Any]:
    """The document of a plugin with every kind of column."""
    return document(app_of(shelf=Contribution(routers=[shelf.router], provides=[TenantDirectory])))


def test_a_list_tells_each_filter_and_order_with_its_type(shelves: dict[str, Any]) -> None:
    told = {one["name"]: one["schema"] for one in shelves["paths"]["/api/v1/shelf"]["get"]["parameters"]}
    types = {name: schema.get("anyOf", [schema])[0] for name, schema in told.items()}

    assert list(told) == ["limit", "cursor", "order_by", *shelf.LISTING.filters, "X-Tenant-ID"]
    assert (types["limit"]["minimum"], types["limit"]["maximum"], types["limit"]["default"]) == (1, 200, 50)
    assert (types["order_by"]["enum"], types["order_by"]["default"]) == (list(shelf.LISTING.orders), "name")
    assert types["qty"] == {"type": "array", "maxItems": 100, "items": types["qty_from"]}
    assert types["qty_before"] == {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}
    assert types["name"]["items"] == {"type": "string"}
    assert types["made_from"] == types["made_before"] == {"type": "string", "format": "date-time"}
    assert types["open"]["items"] == {"type": "boolean"}


def test_pages_changes_and_resources_are_described(shelves: dict[str, Any]) -> None:
    schemas = shelves["components"]["schemas"]
    parameters = shelves["paths"]["/api/v1/shelf/{item_id}"]["patch"]["parameters"]

    assert [(one["name"], one["required"]) for one in parameters if one["in"] == "header"] == [
        ("If-Match", True),
        ("X-Tenant-ID", False),
    ]
    assert {"Problem", "shelf.Page_ItemOut_", "shelf.ItemChange", "shelf.ItemOut"} <= set(schemas)
    assert schemas["shelf.Page_ItemOut_"]["properties"]["items"]["items"] == {
        "$ref": "#/components/schemas/shelf.ItemOut"
    }
    assert "version" not in schemas["shelf.ItemOut"]["properties"]
    change = schemas["shelf.ItemChange"]
    assert (change["additionalProperties"], "required" in change) == (False, False)
    assert [schema for schema in change["properties"].values() if "default" in schema] == []


def titles(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["title"]] if isinstance(node.get("title"), str) else []
        return own + [title for part in node.values() for title in titles(part)]
    return [title for part in node for title in titles(part)] if isinstance(node, list) else []


def test_each_class_of_a_generated_client_has_a_name_of_its_own(shelves: dict[str, Any], both: Application) -> None:
    for made in (shelves, document(both)):
        found = titles({**made, "info": {}})
        assert len(found) == len(set(found)) == len(made["components"]["schemas"]) - 1
    assert shelves["components"]["schemas"]["shelf.Page_ItemOut_"]["title"] == "ShelfPageItemOut"


def test_headers_of_answers_and_304_are_described(shelves: dict[str, Any]) -> None:
    one, page = shelves["paths"]["/api/v1/shelf/{item_id}"]["get"], shelves["paths"]["/api/v1/shelf"]["get"]
    made = shelves["paths"]["/api/v1/shelf"]["post"]["responses"]["201"]

    assert set(one["responses"]["200"]["headers"]) == {"ETag"}
    assert "304" in one["responses"]
    assert "If-None-Match" in [parameter["name"] for parameter in one["parameters"]]
    assert set(page["responses"]["200"]["headers"]) == {"Link"}
    assert set(made["headers"]) == {"ETag", "Location"}


def test_constraints_are_exact(app_of: AppOf) -> None:
    class Box(BaseModel):
        size: Annotated[Integer, Field(ge=1)]
        name: Annotated[Text, Field(max_length=9)]

    router = APIRouter(prefix="/films", dependencies=[public("a test")])

    @router.post("")
    async def put(box: Box) -> None: ...

    properties = document(app_of(films=Contribution(routers=[router])))["components"]["schemas"]["films.Box"][
        "properties"
    ]
    assert (properties["size"]["minimum"], properties["size"]["maximum"]) == (1, 2**63 - 1)
    assert properties["name"] == {"type": "string", "maxLength": 9}


async def test_a_tenant_is_shown_what_it_has(both: Application) -> None:
    both.runtime.registry.services[TenantDirectory] = OneTenant(
        Tenant(id=UUID(int=7), slug="acme", name="Acme", disabled_plugins=frozenset({"films", "nowhere"}))
    )
    api = client_of(both)
    everybody = await api.get("/openapi.json")
    theirs = await api.get("/openapi.json", headers=credentials("a;writer;acme") | {"X-Tenant-ID": "acme"})
    others = await api.get("/openapi.json", headers=credentials("a;writer;globex") | {"X-Tenant-ID": "acme"})

    assert set(theirs.json()["paths"]) == {"/api/v1/books/{number}", "/api/v1/books"}
    assert set(theirs.json()["components"]["schemas"]) == {"Problem", "books.Item"}
    assert everybody.content == others.content == both.openapi()
    assert all("Authorization, X-Tenant-ID" in answer.headers["vary"] for answer in (everybody, theirs, others))


async def test_a_directory_that_is_away_leaves_the_document_to_strangers(both: Application) -> None:
    assert (await client_of(both).get("/openapi.json", headers={"X-Tenant-ID": "acme"})).status_code == 200


def test_only_a_few_documents_are_kept_and_names_of_nobody_make_none(both: Application) -> None:
    made = {id(both.openapi(frozenset({f"nobody{number}"}))) for number in range(100)}
    assert len(made) == both.document.cache_info().currsize == 1

    both.openapi(frozenset({"films"}))
    assert both.openapi(frozenset({"films"})) is both.openapi(frozenset({"films", "nobody"}))


async def test_how_to_sign_in_is_told_and_swagger_ui_knows_it(both: Application) -> None:
    code = SignIn(
        flow="code",
        token_url="https://sso.example/token",
        authorization_url="https://sso.example/auth",
        client_id="web",
    )
    both.runtime.trusted.add(Issuer(url="https://sso.example", audience="vinc-api", sign_in=code), "books")
    api = client_of(both)
    schemes = (await api.get("/openapi.json")).json()["components"]["securitySchemes"]

    assert schemes["token"] == {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    assert schemes["sign-in-1"]["flows"]["authorizationCode"] == {
        "authorizationUrl": "https://sso.example/auth",
        "tokenUrl": "https://sso.example/token",
        "scopes": {},
    }
    page, start = await api.get("http://test/docs"), await api.get("http://test/docs/start.js")
    assert "connect-src 'self' https://sso.example;" in page.headers["content-security-policy"]
    assert 'clientId: "web", usePkceWithAuthorizationCodeGrant: true' in start.text
    assert (await api.get("http://test/docs/signed-in")).status_code == 200
