"""Every query of invoices. None names a tenant: row level security does."""

from datetime import date

from sqlalchemy import bindparam, insert, select

from vinc_kernel import Session

from .models import Invoice
from .schemas import InvoiceOut, NewInvoice

ALL = select(Invoice).order_by(Invoice.number)  # constants: each is compiled once
DUE = select(Invoice).where(Invoice.due <= bindparam("latest")).order_by(Invoice.due, Invoice.number)
ADD = (
    insert(Invoice)
    .values(number=bindparam("number"), amount=bindparam("amount"), due=bindparam("due"))
    .returning(Invoice)
)


async def every(db: Session) -> list[InvoiceOut]:
    """All invoices, by number."""
    return await db.all(ALL, InvoiceOut)


async def due_until(db: Session, latest: date) -> list[InvoiceOut]:
    """What is due on this day or before, the oldest first."""
    return await db.all(DUE, InvoiceOut, {"latest": latest})


async def add(db: Session, new: NewInvoice, due: date) -> InvoiceOut:
    """Store an invoice; a number that the tenant has used already is a Conflict."""
    return await db.one(ADD, InvoiceOut, {**new.model_dump(), "due": due})
