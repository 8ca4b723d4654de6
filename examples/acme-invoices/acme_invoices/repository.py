"""Every query of invoices. None names a tenant: row level security does."""

from datetime import date
from uuid import UUID

from sqlalchemy import bindparam, insert, select

from vinc_kernel import Session
from vinc_kernel.rest import IfMatch, Listing, ListQuery, Page, delete_one, update_one

from .models import Invoice
from .schemas import InvoiceChange, InvoiceOut, NewInvoice

# What a caller may filter and order by: each has an index, and nothing else is taken.
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
    """The invoices that were asked for."""
    return await db.page(ALL, InvoiceOut, query)


async def one(db: Session, invoice_id: UUID) -> InvoiceOut | None:
    """The invoice with this id, if the tenant has it."""
    return await db.one_or_none(ONE, InvoiceOut, {"id": invoice_id})


async def due_until(db: Session, latest: date) -> list[InvoiceOut]:
    """What is due on this day or before, the oldest first."""
    return await db.all(DUE, InvoiceOut, {"latest": latest})


async def add(db: Session, new: NewInvoice, due: date) -> InvoiceOut:
    """Store an invoice; a number that the tenant has used already is a Conflict."""
    return await db.one(ADD, InvoiceOut, {**new.model_dump(), "due": due})


async def change(db: Session, invoice_id: UUID, expected: IfMatch, change: InvoiceChange) -> InvoiceOut:
    """Change what was sent of this invoice, if it is still as the caller has seen it."""
    return await update_one(db, Invoice, invoice_id, expected, change.sent_fields(), InvoiceOut)


async def remove(db: Session, invoice_id: UUID, expected: IfMatch) -> None:
    """Delete this invoice, if it is still as the caller has seen it."""
    await delete_one(db, Invoice, invoice_id, expected)
