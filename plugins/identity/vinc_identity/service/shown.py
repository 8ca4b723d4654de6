"""Principals as they are answered."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from vinc_kernel import App, NotFound, Principal, Tenant, TenantDirectory

from ..claims import ids_in
from ..schemas import ActiveTenant, Me, PrincipalOut, Stored

LATEST = 253_402_300_799  # the last second of the year 9999: a token may say any later one


def shown(administered: str, stored: Stored) -> PrincipalOut:
    """A principal, with what the provider of this issuer is known to have done."""
    return PrincipalOut(
        **stored.model_dump(include={"id", "issuer", "subject", "kind", "role", "tenant", "disabled"}),
        email=stored.email or None,
        name=stored.name or None,
        provider=stored.provider(administered),
        expires_at=stored.expires_at,
        last_seen=stored.last_seen,
        created_at=stored.created_at,
    )


async def slugs_of(app: App, found: Iterable[Stored]) -> dict[UUID | None, str]:
    """What the tenants of service accounts are called; one that is there no more has its id alone."""
    directory, ids = app.get(TenantDirectory), {one.tenant for one in found if one.tenant is not None}
    tenants = {one: await directory.find(one) for one in ids}
    return {None: "", **{one: tenant.slug if tenant else str(one) for one, tenant in tenants.items()}}


def id_of(principal: Principal) -> UUID:
    """The id that this plugin has given them; raises NotFound where somebody else remembers principals."""
    if principal.id is None:
        raise NotFound
    return principal.id


def me(principal: Principal, tenant: Tenant | None) -> Me:
    """The caller as understood."""
    return Me(
        id=id_of(principal),
        issuer=principal.issuer,
        subject=principal.subject,
        kind=principal.kind,
        email=principal.email or None,
        role=principal.role or None,
        tenants=sorted(principal.tenants),
        customers=ids_in(principal.claims, "allowed_customers"),
        addresses=ids_in(principal.claims, "allowed_addresses"),
        multi_tenant=len(principal.tenants) > 1,
        tenant=ActiveTenant(id=tenant.id, slug=tenant.slug) if tenant else None,
        until=datetime.fromtimestamp(min(principal.expires, LATEST), UTC),
    )
