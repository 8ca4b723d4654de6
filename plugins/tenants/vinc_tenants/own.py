"""The tenant in a path: it must be the one that the request works in."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends

from vinc_kernel import NotFound, get_tenant_id


async def own(tenant_id: UUID, active: Annotated[UUID | None, Depends(get_tenant_id)]) -> UUID:
    """The id in the path; raises NotFound for any but the active tenant's, whether there is such a tenant or not."""
    if tenant_id != active:
        raise NotFound("There is no such thing here.")
    return tenant_id


OwnId = Annotated[UUID, Depends(own)]
