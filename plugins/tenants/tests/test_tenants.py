"""Tenants: the directory of them, and which of them a request works in."""

from __future__ import annotations

from uuid import UUID

import pytest
from httpx import AsyncClient
from psycopg.errors import CheckViolation

from vinc_kernel import TenantDirectory
from vinc_testing import Database, VincApp


async def test_me_is_the_tenant_of_the_request_as_stored(admin: AsyncClient, acme: UUID) -> None:
    answer = await admin.get("/tenants/me")

    assert answer.status_code == 200
    stored = answer.json()
    assert (stored["id"], stored["slug"], stored["name"]) == (str(acme), "acme", "Acme")
    assert stored["created_at"].endswith("Z")


@pytest.mark.parametrize(
    "change",
    [
        "slug = 'a1b2c3d4-e5f6-4789-8abc-def012345678'",
        "slug = 'a1b2c3d4e5f647898abcdef012345678'",
        *(f"slug = '{slug}'" for slug in ("A", "ab", "a--b", "acme-", "1a2", "a" * 42)),
        *("status = 'gone'", "status = 'closing'", "purge_after = now()", "status = 'suspended', purge_after = now()"),
    ],
)
async def test_the_database_refuses_an_invalid_slug_or_status(vinc_database: Database, acme: UUID, change: str) -> None:
    with pytest.raises(CheckViolation):
        vinc_database.admin.execute(f"update tenants_tenant set {change}")


async def test_the_directory_knows_tenants_by_id_and_by_slug(vinc_app: VincApp, acme: UUID) -> None:
    directory = vinc_app.plugin("tenants").get(TenantDirectory)
    by_id, by_slug, nobody = [await directory.find(key) for key in (acme, "acme", "nowhere")]

    assert by_id == by_slug
    assert by_id is not None
    assert (by_id.id, by_id.slug, by_id.name, by_id.status) == (acme, "acme", "Acme", "active")
    assert nobody is None


async def test_a_tenant_that_was_found_is_not_looked_up_again(
    vinc_app: VincApp, vinc_database: Database, acme: UUID
) -> None:
    directory = vinc_app.plugin("tenants").get(TenantDirectory)
    before = await directory.find("acme")
    vinc_database.admin.execute("update tenants_tenant set name = 'behind everybody''s back'")

    assert await directory.find("acme") is before
