"""The tenant in a path: it must be the active tenant."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends

from vinc_kernel import NotFound, get_tenant_id


async def require_own_tenant(tenant_id: UUID, active: Annotated[UUID | None, Depends(get_tenant_id)]) -> UUID:
    """Return the id in the path; raises NotFound for any other tenant, whether it exists or not."""
    if tenant_id != active:
        raise NotFound("There is no such thing here.")
    return tenant_id


OwnId = Annotated[UUID, Depends(require_own_tenant)]
