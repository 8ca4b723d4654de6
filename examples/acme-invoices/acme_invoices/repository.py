"""The queries of invoices. None filters by tenant: row level security does."""

from datetime import date
from uuid import UUID

from sqlalchemy import bindparam, insert, select

from vinc_kernel import Session
from vinc_kernel.rest import IfMatch, Listing, ListQuery, Page, delete_one, update_one

from .models import Invoice
from .schemas import InvoiceChange, InvoiceOut, NewInvoice

# What a caller may filter and order by; each has an index.
LISTING = Listing(
    Invoice,
    filters={"number": Invoice.number, "due": Invoice.due},
    orders={"number": Invoice.number, "due": Invoice.due},
    order="number",
)
ALL = select(Invoice)  # constants: each is compiled once
ONE = select(Invoice).where(Invoice.id == bindparam("id"))
DUE = select(Invoice).where(Invoice.due <= bindparam("latest")).order_by(Invoice.due, Invoice.id)
ADD = (
    insert(Invoice)
    .values(number=bindparam("number"), amount=bindparam("amount"), due=bindparam("due"))
    .returning(Invoice)
)


async def page(db: Session, query: ListQuery) -> Page[InvoiceOut]:
    """Return a page of invoices."""
    return await db.page(ALL, InvoiceOut, query)


async def get(db: Session, invoice_id: UUID) -> InvoiceOut | None:
    """Return the tenant's invoice with this id, or None."""
    return await db.one_or_none(ONE, InvoiceOut, {"id": invoice_id})


async def list_due(db: Session, latest: date) -> list[InvoiceOut]:
    """Return the invoices that are due on this day or before, the oldest first."""
    return await db.all(DUE, InvoiceOut, {"latest": latest})


async def add(db: Session, new: NewInvoice, due: date) -> InvoiceOut:
    """Add an invoice; raises Conflict for a number that the tenant has used already."""
    return await db.one(ADD, InvoiceOut, {**new.model_dump(), "due": due})


async def change(db: Session, invoice_id: UUID, expected: IfMatch, change: InvoiceChange) -> InvoiceOut:
    """Change the fields that were sent; raises PreconditionFailed after a change that the caller has not seen."""
    return await update_one(db, Invoice, invoice_id, expected, change.sent_fields(), InvoiceOut)


async def remove(db: Session, invoice_id: UUID, expected: IfMatch) -> None:
    """Delete an invoice; raises PreconditionFailed after a change that the caller has not seen."""
    await delete_one(db, Invoice, invoice_id, expected)
