"""What a tenant's own people read and change of it, and how little they learn of others."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient

from vinc_kernel import TenantDirectory
from vinc_testing import ClientAs, Database, MakeToken, VincApp


async def change(api: AsyncClient, tenant: UUID, body: Any) -> tuple[int, Any]:
    """Send a PATCH as somebody who has just read the tenant; status and body of the answer."""
    etag = (await api.get(f"/tenants/{tenant}")).headers["etag"]
    answer = await api.patch(f"/tenants/{tenant}", json=body, headers={"If-Match": etag})
    return answer.status_code, answer.json()


async def test_everybody_in_a_tenant_reads_it(client_as: ClientAs, acme: UUID) -> None:
    answer = await client_as("viewer", "acme").get(f"/tenants/{acme}")

    assert answer.status_code == 200
    assert answer.json() == (await client_as("viewer", "acme").get("/tenants/me")).json()
    assert set(answer.json()) == {
        *("id", "slug", "name", "status", "purge_after", "logo_url", "tax_id"),
        *("legal_name", "legal_address", "legal_email", "legal_number"),
        *("created_at", "updated_at", "created_by", "updated_by"),
    }


async def test_a_change_changes_what_it_names_and_nothing_else(admin: AsyncClient, acme: UUID) -> None:
    await change(admin, acme, {"legal_name": "Acme Ltd", "tax_id": "GB1"})
    status, changed = await change(admin, acme, {"name": " Acme & Sons ", "legal_name": None})

    assert status == 200
    assert (changed["name"], changed["legal_name"], changed["tax_id"]) == ("Acme & Sons", None, "GB1")
    assert changed == (await admin.get("/tenants/me")).json()
    assert changed["updated_at"] > changed["created_at"]


async def test_a_change_is_seen_by_the_next_request_that_names_the_tenant(
    admin: AsyncClient, acme: UUID, vinc_app: VincApp
) -> None:
    directory = vinc_app.plugin("tenants").get(TenantDirectory)

    async def names() -> list[str | None]:
        return [tenant and tenant.name for tenant in [await directory.find(key) for key in (acme, "acme")]]

    before = await names()
    await change(admin, acme, {"name": "New"})

    assert (before, await names()) == (["Acme", "Acme"], ["New", "New"])


@pytest.mark.parametrize(
    "body",
    [
        *({"name": name} for name in (None, "", "  ", "a\nb", "n" * 201, 5, ["Acme"])),
        *({field: " "} for field in ("legal_name", "legal_address", "legal_number", "tax_id")),
        *({"legal_email": email} for email in ("", "nobody", "a@b", 1)),
        *({"logo_url": url} for url in ("http://acme.de/logo", "javascript:alert(1)", "https://u:p@acme.de/")),
        *({field: "x"} for field in ("slug", "status", "id", "tenant_id", "version", "created_by", "purge_after")),
        {"settings": {}},
        {"disabled_plugins": []},
        [],
        "name",
        None,
    ],
)
async def test_an_invalid_change_is_422_and_changes_nothing(admin: AsyncClient, acme: UUID, body: Any) -> None:
    before = (await admin.get("/tenants/me")).json()
    status, problem = await change(admin, acme, body)

    assert (status, problem["type"]) == (422, "urn:vinc:problem:unprocessable")
    assert (await admin.get("/tenants/me")).json() == before


async def test_without_the_capability_nothing_can_be_changed(client_as: ClientAs, acme: UUID) -> None:
    viewer = client_as("viewer", "acme")
    responses = [
        await viewer.patch(f"/tenants/{acme}", json={"name": "Mine"}, headers={"If-Match": "*"}),
        await viewer.get(f"/tenants/{acme}/settings"),
        await viewer.put(f"/tenants/{acme}/settings", json={}, headers={"If-Match": "*"}),
        await viewer.put(f"/tenants/{acme}/plugins", json={}, headers={"If-Match": "*"}),
    ]

    assert [answer.status_code for answer in responses] == [403] * 4


async def test_a_change_needs_if_match(admin: AsyncClient, acme: UUID) -> None:
    answers = [
        await admin.patch(f"/tenants/{acme}", json={"name": "New"}),
        await admin.put(f"/tenants/{acme}/settings", json={}),
    ]

    assert [answer.status_code for answer in answers] == [428, 428]


async def test_a_tenant_is_listed_to_those_who_belong_to_it(
    client: AsyncClient, vinc_token: MakeToken, vinc_database: Database
) -> None:
    ids = {slug: vinc_database.add_tenant(slug) for slug in ("acme", "globex", "initech")}

    async def seen(role: str, tenants: str, query: str = "") -> list[str]:
        token = vinc_token("bob", role, tenants.split(",") if tenants else [])
        answer = await client.get(f"/tenants{query}", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        return [one["slug"] for one in answer.json()["items"]]

    assert await seen("viewer", "globex,acme") == ["acme", "globex"]
    assert await seen("viewer", f"{ids['initech']},acme,nowhere") == ["acme", "initech"]
    assert await seen("viewer", "") == []
    assert await seen("viewer", "nowhere") == []
    assert await seen("super_admin", "") == ["acme", "globex", "initech"]
    assert await seen("super_admin", "acme", "?order_by=-slug") == ["initech", "globex", "acme"]
    assert await seen("super_admin", "", "?slug=acme&slug=nowhere") == ["acme"]
    assert await seen("viewer", "acme", "?slug=globex") == []


async def test_tenants_are_listed_by_status(client_as: ClientAs, vinc_database: Database) -> None:
    vinc_database.add_tenant("globex")
    vinc_database.admin.execute("update tenants_tenant set status = 'suspended'")
    suspended = (await client_as("super_admin", "acme").get("/tenants?status=suspended")).json()["items"]

    assert [one["slug"] for one in suspended] == ["globex"]
