"""Select the tenant of a request: the header selects and never grants.

Only for routes that may need a tenant: a public route works without the database. Only the caller's own tenants are
looked up, so that another's and one that does not exist have the same response, and cost the same.
"""

from __future__ import annotations

import re
from uuid import UUID

from ..context import Context, Principal, Tenant, TenantDirectory
from ..errors import Forbidden, TenantSuspended, Unavailable
from ..scalars import canonical_id

slug = re.compile(r"[a-z](-?[a-z0-9]){2,40}").fullmatch


async def tenancy(
    context: Context, header: bytes, directory: TenantDirectory | None, *, needed: bool, platform: bool = False
) -> None:
    """Set the context's tenant, or the refusal.

    `needed`: the route works in a tenant. `platform`: the caller may work in any tenant, also in a suspended one.
    """
    principal = context.principal
    if principal is None:
        return
    if directory is None:
        context.tenant_refusal = Unavailable("Tenants cannot be looked up just now.") if needed else None
        return
    value = context.header(header)
    if value is not None:
        text = value.decode("latin-1")
    elif len(principal.tenants) == 1:
        (text,) = principal.tenants
    else:
        return
    tenant = await (find(text, directory) if platform else find_own(text, principal, directory))
    if tenant is None:
        if needed or value is not None:
            context.tenant_refusal = Forbidden("You are no member of this tenant, or there is no such tenant.")
        return
    context.disabled_plugins = tenant.disabled_plugins
    if tenant.is_active or platform:
        context.tenant = tenant
    elif needed:
        context.tenant_refusal = TenantSuspended("Nobody can work in this tenant until it is active again.")


async def find(text: str, directory: TenantDirectory) -> Tenant | None:
    if canonical_id(text):
        return await directory.find(UUID(text))
    return await directory.find(text) if slug(text) else None


async def find_own(text: str, principal: Principal, directory: TenantDirectory) -> Tenant | None:
    """Return the tenant with this id or slug if it is the caller's, or None."""
    if text in principal.tenants:
        return await find(text, directory)
    is_id = canonical_id(text) is not None
    for other in sorted(one for one in principal.tenants if (canonical_id(one) is not None) != is_id):
        tenant = await find(other, directory)
        if tenant is not None and text in (str(tenant.id), tenant.slug):
            return tenant
    return None
