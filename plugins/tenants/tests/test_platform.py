"""What those do with tenants who run the platform: make, suspend, reactivate and delete them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from httpx import AsyncClient

from vinc_testing import ClientAs, Database, VincApp, eventually

from .conftest import Billing, fail, rows_of, swallow

NEW = {"slug": "acme", "name": "Acme"}


@pytest.fixture
def platform(client_as: ClientAs) -> AsyncClient:
    """A super admin, who belongs to another tenant."""
    return client_as("super_admin", "globex")


@pytest_asyncio.fixture
async def acme(platform: AsyncClient) -> UUID:
    return UUID((await platform.post("/tenants", json=NEW)).json()["id"])


@pytest.fixture
def member(client_as: ClientAs, acme: UUID) -> AsyncClient:
    return client_as("wholesale_admin", "acme")


async def delete(api: AsyncClient, tenant: UUID) -> Any:
    return await api.delete(f"/tenants/{tenant}", headers={"If-Match": "*"})


async def test_a_tenant_is_made_with_what_every_plugin_sets_up(platform: AsyncClient, tables: Database) -> None:
    whole = NEW | {"legal_email": "Office@ACME.example.com", "logo_url": "https://acme.example.com/logo.svg"}
    answer = await platform.post("/tenants", json=whole)
    made = answer.json()

    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/tenants/{made['id']}"
    assert (made["slug"], made["status"], made["legal_name"]) == ("acme", "active", None)
    assert made["legal_email"] == "Office@acme.example.com"
    assert rows_of(tables, UUID(made["id"]))["billing_invoice"] == 1


async def test_a_tenant_that_was_made_is_there_at_once(platform: AsyncClient, client_as: ClientAs) -> None:
    before = await platform.get("/tenants/me", headers={"X-Tenant-ID": "acme"})
    made = await platform.post("/tenants", json=NEW)
    after = await platform.get("/tenants/me", headers={"X-Tenant-ID": "acme"})

    assert (before.status_code, after.status_code) == (403, 200)
    assert after.headers["etag"] == made.headers["etag"]


@pytest.mark.parametrize("step", [fail, swallow])
async def test_a_failing_plugin_rolls_the_creation_back(
    platform: AsyncClient, tables: Database, billing: Billing, step: Any
) -> None:
    billing.on_create = step
    refused = await platform.post("/tenants", json=NEW)
    left = tables.admin.execute("select slug from tenants_tenant where slug = 'acme'").fetchall()
    rows = tables.admin.execute("select count(*) from billing_invoice").fetchall()
    billing.on_create = None
    made = await platform.post("/tenants", json=NEW)

    assert (refused.status_code, left, rows) == (500, [], [(0,)])
    assert made.status_code == 201


async def test_a_quarantined_plugin_that_sets_tenants_up_fails_the_creation(
    platform: AsyncClient, vinc_app: VincApp, tables: Database
) -> None:
    states = vinc_app.application.runtime.registry.states
    states["billing"] = replace(states["billing"], state="quarantined")
    refused = await platform.post("/tenants", json=NEW)
    left = tables.admin.execute("select slug from tenants_tenant where slug = 'acme'").fetchall()
    states["billing"] = replace(states["billing"], state="ready")
    states["health"] = replace(states["health"], state="quarantined")  # it sets nothing up
    made = await platform.post("/tenants", json=NEW)

    assert (refused.status_code, left) == (500, [])
    assert made.status_code == 201


async def test_a_slug_is_given_once(platform: AsyncClient, acme: UUID) -> None:
    answer = await platform.post("/tenants", json=NEW | {"name": "Another"})

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:vinc:problem:slug-taken")


@pytest.mark.parametrize(
    "change",
    [
        *({"slug": slug} for slug in ("vinc", "www", "ab", "Acme", "deadbeefdeadbeefdeadbeefdeadbeef", None, 5)),
        *({field: value} for field in ("id", "status", "tenant_id", "created_by") for value in ("x", None)),
        {"name": ""},
        {"name": None},
    ],
)
async def test_an_invalid_tenant_is_422(platform: AsyncClient, tables: Database, change: dict[str, Any]) -> None:
    answer = await platform.post("/tenants", json=NEW | change)

    assert answer.status_code == 422
    assert tables.admin.execute("select slug from tenants_tenant").fetchall() == [("globex",)]


async def test_a_suspended_tenant_refuses_its_members_and_not_the_platform(
    platform: AsyncClient, member: AsyncClient, acme: UUID
) -> None:
    seen = [(await member.get("/tenants/me")).status_code]
    suspended = await platform.post(f"/tenants/{acme}/suspend")
    refused = [await member.get(address) for address in ("/tenants/me", f"/tenants/{acme}", "/billing")]
    by_platform = await platform.get(f"/tenants/{acme}", headers={"X-Tenant-ID": "acme"})
    listed = (await member.get("/tenants")).json()["items"]
    reactivated = await platform.post(f"/tenants/{acme}/reactivate")
    seen.append((await member.get("/tenants/me")).status_code)

    assert (suspended.status_code, suspended.json()["status"]) == (200, "suspended")
    assert {(answer.status_code, answer.json()["type"]) for answer in refused} == {
        (403, "urn:vinc:problem:tenant-suspended")
    }
    assert (by_platform.status_code, by_platform.json()["status"]) == (200, "suspended")
    assert [(one["slug"], one["status"]) for one in listed] == [("acme", "suspended")]
    assert (reactivated.status_code, reactivated.json()["status"]) == (200, "active")
    assert seen == [200, 200]


async def test_another_worker_knows_within_a_second_that_a_plugin_is_off(
    platform: AsyncClient, member: AsyncClient, vinc_second_app: VincApp, acme: UUID
) -> None:
    async with vinc_second_app.client(member.headers, auth=member.auth) as elsewhere:

        async def answers(status: int) -> bool:
            return (await elsewhere.get("/billing")).status_code == status

        await eventually(partial(answers, 200))
        await platform.put(
            f"/tenants/{acme}/plugins", json={"billing": False}, headers={"If-Match": "*", "X-Tenant-ID": "acme"}
        )
        await eventually(partial(answers, 404))


async def test_a_deleted_tenant_closes_and_comes_back(platform: AsyncClient, member: AsyncClient, acme: UUID) -> None:
    closed = await delete(platform, acme)
    again = await delete(platform, acme)
    refused = await member.get("/tenants/me")
    not_now = await platform.post(f"/tenants/{acme}/suspend")
    back = await platform.post(f"/tenants/{acme}/reactivate")

    assert (closed.status_code, closed.json()["status"]) == (200, "closing")
    assert again.json()["purge_after"] == closed.json()["purge_after"]
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:vinc:problem:tenant-suspended")
    assert (not_now.status_code, not_now.json()["type"]) == (409, "urn:vinc:problem:tenant-closing")
    assert (back.json()["status"], back.json()["purge_after"]) == ("active", None)
    assert (await member.get("/billing")).json()["number"] == 1
    closed_again = await delete(platform, acme)
    grace = datetime.fromisoformat(closed_again.json()["purge_after"]) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < grace < timedelta(days=7)


async def test_deleting_needs_if_match(platform: AsyncClient, acme: UUID) -> None:
    read = (await platform.get(f"/tenants/{acme}", headers={"X-Tenant-ID": "acme"})).headers["etag"]
    changed = (await platform.post(f"/tenants/{acme}/suspend")).headers["etag"]
    answers = [
        await platform.delete(f"/tenants/{acme}", headers=headers)
        for headers in ({}, {"If-Match": read}, {"If-Match": changed})
    ]

    assert [answer.status_code for answer in answers] == [428, 412, 200]


@pytest.mark.parametrize("purged", [False, True])
async def test_a_tenant_that_is_not_there_is_404(
    platform: AsyncClient, tables: Database, acme: UUID, purged: bool
) -> None:
    if purged:
        tables.admin.execute("update tenants_tenant set status = 'purged' where slug = 'acme'")
    tenant = acme if purged else uuid4()
    responses = [
        await platform.post(f"/tenants/{tenant}/suspend"),
        await platform.post(f"/tenants/{tenant}/reactivate"),
        await delete(platform, tenant),
        await platform.get(f"/tenants/{tenant}"),
    ]

    assert [(answer.status_code, answer.json()["type"]) for answer in responses] == [
        (404, "urn:vinc:problem:not-found")
    ] * 4


async def test_a_purged_tenant_is_listed_to_nobody(platform: AsyncClient, tables: Database, acme: UUID) -> None:
    tables.admin.execute("update tenants_tenant set status = 'purged' where slug = 'acme'")
    listed = (await platform.get("/tenants")).json()["items"]
    refused = await platform.get("/tenants?status=purged")

    assert [one["slug"] for one in listed] == ["globex"]
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/status/0")
