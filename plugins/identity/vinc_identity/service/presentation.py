"""Convert principals to responses."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from vinc_kernel import App, NotFound, Principal, Tenant, TenantDirectory

from ..claims import read_ids
from ..schemas import ActiveTenant, Me, PrincipalOut, StoredPrincipal

MAX_TIMESTAMP = 253_402_300_799  # the last second of the year 9999: a token may expire later


def to_principal_out(managed_issuer: str, principal: StoredPrincipal) -> PrincipalOut:
    return PrincipalOut(
        **principal.model_dump(include={"id", "issuer", "subject", "kind", "role", "tenant", "disabled"}),
        email=principal.email or None,
        name=principal.name or None,
        provider=principal.provider_state(managed_issuer),
        expires_at=principal.expires_at,
        last_seen=principal.last_seen,
        created_at=principal.created_at,
    )


async def get_tenant_slugs(app: App, principals: Iterable[StoredPrincipal]) -> dict[UUID | None, str]:
    """Return the slugs of the service accounts' tenants by id; a tenant that no longer exists has its id."""
    directory, ids = app.get(TenantDirectory), {one.tenant for one in principals if one.tenant is not None}
    tenants = {one: await directory.find(one) for one in ids}
    return {None: "", **{one: tenant.slug if tenant else str(one) for one, tenant in tenants.items()}}


def require_id(principal: Principal) -> UUID:
    """Return the id of a stored principal; raises NotFound where another plugin stores principals."""
    if principal.id is None:
        raise NotFound
    return principal.id


def to_me(principal: Principal, tenant: Tenant | None) -> Me:
    return Me(
        id=require_id(principal),
        issuer=principal.issuer,
        subject=principal.subject,
        kind=principal.kind,
        email=principal.email or None,
        role=principal.role or None,
        tenants=sorted(principal.tenants),
        customers=read_ids(principal.claims, "allowed_customers"),
        addresses=read_ids(principal.claims, "allowed_addresses"),
        multi_tenant=len(principal.tenants) > 1,
        tenant=ActiveTenant(id=tenant.id, slug=tenant.slug) if tenant else None,
        until=datetime.fromtimestamp(min(principal.expires, MAX_TIMESTAMP), UTC),
    )
