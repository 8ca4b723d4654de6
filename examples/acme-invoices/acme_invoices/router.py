"""Invoices over HTTP."""

from fastapi import APIRouter

from vinc_kernel import Session

from . import repository, service
from .permissions import can_manage
from .schemas import InvoiceOut, NewInvoice
from .settings import Terms

router = APIRouter(prefix="/invoices", tags=["invoices"], dependencies=[can_manage])


@router.get("")
async def list_invoices(db: Session) -> list[InvoiceOut]:
    """All invoices of the tenant, by number."""
    return await repository.every(db)


@router.post("", status_code=201)
async def create_invoice(new: NewInvoice, db: Session, terms: Terms) -> InvoiceOut:
    """Write an invoice; it is due when the installation's terms say."""
    return await service.create(db, new, terms)
