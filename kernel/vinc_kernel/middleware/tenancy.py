"""Select the tenant of a request: the header selects and never grants.

Asked only for routes that may need a tenant, so that a public route costs no look-up and stands when the database
does not. The answer for a tenant of others and for one that does not exist is the same.
"""

from __future__ import annotations

import re
from uuid import UUID

from ..context import Context, TenantDirectory
from ..errors import Forbidden, Unavailable

canonical_id = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
slug = re.compile(r"[a-z](-?[a-z0-9]){2,40}").fullmatch


async def tenancy(context: Context, header: bytes, directory: TenantDirectory | None, *, needed: bool) -> None:
    """Put the tenant into the context, or the refusal; `needed` when the route works in a tenant."""
    principal = context.principal
    if principal is None:
        return
    if directory is None:
        context.tenant_refusal = Unavailable("Tenants cannot be looked up just now.") if needed else None
        return
    given = context.header(header)
    if given is not None:
        text = given.decode("latin-1")
    elif len(principal.tenants) == 1:
        (text,) = principal.tenants
    else:
        return
    key = UUID(text) if canonical_id(text) else text if slug(text) else None
    tenant = await directory.find(key) if key is not None else None
    if tenant is not None and tenant.belongs_to(principal):
        context.tenant = tenant
    elif needed or given is not None:
        context.tenant_refusal = Forbidden("You are no member of this tenant, or there is no such tenant.")
