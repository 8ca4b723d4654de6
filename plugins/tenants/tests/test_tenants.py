"""Tenants: the directory of them, and `GET /tenants/me`."""

from __future__ import annotations

from uuid import UUID

import pytest
from httpx import AsyncClient
from psycopg.errors import CheckViolation

from vinc_kernel import TenantDirectory
from vinc_kernel.testing import Application, ClientAs, Database


@pytest.fixture
def acme(vinc_database: Database) -> UUID:
    query = "insert into tenants_tenant (id, slug, name) values (gen_random_uuid(), 'acme', 'Acme Ltd') returning id"
    row = vinc_database.admin.execute(query).fetchone()
    assert row is not None
    return UUID(str(row[0]))


def signed_in(tenants: str) -> dict[str, str]:
    return {"Authorization": f"Dev alice;viewer;{tenants}"}


async def test_me_is_the_tenant_of_the_request_as_stored(client: AsyncClient, acme: UUID) -> None:
    answer = await client.get("/tenants/me", headers=signed_in("acme") | {"X-Tenant-ID": "acme"})

    assert answer.status_code == 200
    stored = answer.json()
    assert (stored["id"], stored["slug"], stored["name"]) == (str(acme), "acme", "Acme Ltd")
    assert stored["created_at"].endswith("Z")


async def test_a_tenant_is_selected_by_id_by_slug_and_by_being_the_only_one(client: AsyncClient, acme: UUID) -> None:
    asked = [signed_in("acme"), signed_in(str(acme)), signed_in("acme") | {"X-Tenant-ID": str(acme)}]

    assert [(await client.get("/tenants/me", headers=headers)).json()["slug"] for headers in asked] == ["acme"] * 3


@pytest.mark.parametrize("tenant", ["nowhere", "globex", "0199f3c8-0000-7000-8000-000000000000", "ACME", "a'; --"])
async def test_an_unknown_tenant_is_a_problem(client: AsyncClient, client_as: ClientAs, tenant: str) -> None:
    client_as("viewer", "globex")
    answer = await client.get("/tenants/me", headers=signed_in("acme") | {"X-Tenant-ID": tenant})

    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:vinc:problem:forbidden"
    assert tenant not in answer.text


async def test_nobody_has_no_tenant(client: AsyncClient, acme: UUID) -> None:
    answer = await client.get("/tenants/me", headers={"X-Tenant-ID": str(acme)})

    assert answer.status_code == 401


@pytest.mark.parametrize(
    "slug",
    ["a1b2c3d4-e5f6-4789-8abc-def012345678", "a1b2c3d4e5f647898abcdef012345678", "A", "ab", "a--b", "acme-", "1a2"],
)
async def test_a_slug_is_well_formed_and_never_looks_like_an_id(vinc_database: Database, slug: str) -> None:
    with pytest.raises(CheckViolation):
        vinc_database.add_tenant(slug)


async def test_the_directory_knows_tenants_by_id_and_by_slug(vinc_app: Application, acme: UUID) -> None:
    directory: TenantDirectory = vinc_app.services.find(TenantDirectory)
    by_id, by_slug, nobody = [await directory.find(key) for key in (acme, "acme", "nowhere")]

    assert by_id == by_slug
    assert by_id is not None
    assert (by_id.id, by_id.slug, by_id.name) == (acme, "acme", "Acme Ltd")
    assert nobody is None
