"""Threat I20: whatever happens to tenants, a slug never leads to a second one."""

from __future__ import annotations

from uuid import UUID

from httpx import AsyncClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vinc_kernel import App, TenantDirectory
from vinc_tenants import purge as purging
from vinc_tenants import repository, service
from vinc_tenants.errors import SlugTaken
from vinc_tenants.schemas import NewTenant
from vinc_testing import ClientAs, Database, VincApp

SLUGS = ["acme", "acme-1", "globex", "f00d", "deadbeef"]
STEPS = st.lists(
    st.tuples(st.sampled_from(["make", "make", "close", "reactivate", "purge"]), st.sampled_from(SLUGS)), max_size=20
)


@given(STEPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_slug_ever_leads_to_two_tenants(
    vinc_app: VincApp, client_as: ClientAs, tables: Database, steps: list[tuple[str, str]]
) -> None:
    platform = client_as("super_admin", "operators")
    app = vinc_app.plugin("tenants")
    directory = app.get(TenantDirectory)
    tables.admin.execute("truncate tenants_tenant, tenants_receipt, billing_invoice, billing_line")
    tenants: dict[str, UUID] = {}
    status: dict[str, str] = {}
    for step, slug in steps:
        if step == "make":
            try:
                tenants[slug] = (await service.create(app, NewTenant(slug=slug, name="Acme"))).id
            except SlugTaken:
                assert slug in status
            else:
                assert slug not in status
                status[slug] = "active"
        elif status.get(slug, "purged") != "purged":
            status[slug] = await move(app, platform, step, tenants[slug], status[slug])
        for known, tenant in tenants.items():
            by_slug, by_id = await directory.find(known), await directory.find(tenant)
            assert by_slug == by_id
            assert (by_id.status, by_id.id) == (status[known], tenant) if by_id else status[known] == "purged"


async def move(app: App, platform: AsyncClient, step: str, tenant: UUID, status: str) -> str:
    """Do this step; the status that the tenant must have then."""
    if step == "purge":
        async with app.session() as db:
            stored = await repository.get_by_id_or_slug(db, tenant, "")
        assert stored is not None
        return "purged" if await purging.purge(app, stored, at_once=True) else status
    if step == "reactivate":
        assert (await platform.post(f"/tenants/{tenant}/reactivate")).is_success
        return "active"
    assert (await platform.delete(f"/tenants/{tenant}", headers={"If-Match": "*"})).is_success
    return "closing"
