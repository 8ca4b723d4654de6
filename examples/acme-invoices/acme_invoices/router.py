"""The routes of invoices."""

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
    """List the tenant's invoices."""
    return await repository.page(db, query)


@router.post("", status_code=201)
async def create_invoice(
    new: NewInvoice, app: CurrentApp, db: Session, terms: Terms, with_etag: WithETag
) -> InvoiceOut:
    """Create an invoice; it is due as the tenant's terms say."""
    return with_etag.created(await service.create(db, new, terms, app.now().date()))


@router.get("/{invoice_id}")
async def read_invoice(invoice_id: UUID, db: Session, with_etag: WithETag) -> InvoiceOut:
    """Return one invoice."""
    return with_etag(await repository.get(db, invoice_id))


@router.patch("/{invoice_id}")
async def change_invoice(
    invoice_id: UUID, change: InvoiceChange, expected: IfMatch, db: Session, with_etag: WithETag
) -> InvoiceOut:
    """Change an invoice; an omitted field is unchanged."""
    return with_etag(await repository.change(db, invoice_id, expected, change))


@router.delete("/{invoice_id}", status_code=204)
async def delete_invoice(invoice_id: UUID, expected: IfMatch, db: Session) -> None:
    """Delete an invoice."""
    await repository.remove(db, invoice_id, expected)
