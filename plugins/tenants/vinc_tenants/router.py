"""Tenants over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from vinc_kernel import Session, get_tenant_id, signed_in

from . import repository
from .schemas import TenantOut

router = APIRouter(prefix="/tenants", tags=["tenants"], dependencies=[signed_in])
TenantId = Annotated[UUID, Depends(get_tenant_id)]


@router.get("/me")
async def me(db: Session, tenant_id: TenantId) -> TenantOut:
    """The tenant of this request, as it is stored."""
    return await repository.stored(db, tenant_id)
