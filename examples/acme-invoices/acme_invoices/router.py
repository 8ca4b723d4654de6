"""Invoices over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from vinc_kernel import CurrentApp, Session
from vinc_kernel.rest import IfMatch, ListQuery, Page, WithETag

from . import repository, service
from .permissions import can_manage
from .schemas import InvoiceChange, InvoiceOut, NewInvoice
from .settings import Terms

router = APIRouter(prefix="/invoices", tags=["invoices"], dependencies=[can_manage])


@router.get("")
async def list_invoices(db: Session, query: Annotated[ListQuery, repository.LISTING.query]) -> Page[InvoiceOut]:
    """Return a page of the tenant's invoices."""
    return await repository.page(db, query)


@router.post("", status_code=201)
async def create_invoice(
    new: NewInvoice, app: CurrentApp, db: Session, terms: Terms, with_etag: WithETag
) -> InvoiceOut:
    """Create an invoice; its due date follows from the tenant's terms."""
    return with_etag.created(await service.create(app, db, new, terms))


@router.get("/{invoice_id}")
async def read_invoice(invoice_id: UUID, db: Session, with_etag: WithETag) -> InvoiceOut:
    """Return an invoice."""
    return with_etag(await repository.one(db, invoice_id))


@router.patch("/{invoice_id}")
async def change_invoice(
    invoice_id: UUID, change: InvoiceChange, expected: IfMatch, db: Session, with_etag: WithETag
) -> InvoiceOut:
    """Change an invoice; fields that are not sent stay as they are."""
    return with_etag(await repository.change(db, invoice_id, expected, change))


@router.delete("/{invoice_id}", status_code=204)
async def delete_invoice(invoice_id: UUID, expected: IfMatch, db: Session) -> None:
    """Delete an invoice."""
    await repository.remove(db, invoice_id, expected)
