"""The rules of invoices."""

from datetime import timedelta

from vinc_kernel import App, Session, TenantDirectory, VincError

from . import repository
from .contracts import InvoiceCreated
from .printer import Printer
from .schemas import InvoiceOut, NewInvoice
from .settings import InvoiceTerms


async def create(app: App, db: Session, new: NewInvoice, terms: InvoiceTerms) -> InvoiceOut:
    """Add an invoice with the due date that the tenant's terms give it; the request commits it."""
    invoice = await repository.add(db, new, app.now().date() + timedelta(days=terms.days))
    await app.emit(db, InvoiceCreated(invoice_id=invoice.id))
    return invoice


async def remind(app: App, tenant: str, days: int = 7) -> None:
    """Print a reminder of each invoice that is due soon: `vinc invoices remind acme --days 7`."""
    found = await app.get(TenantDirectory).find(tenant)
    if found is None:
        raise VincError(f"there is no tenant {tenant!r}: name one by its id or slug")
    async with app.session(found.id) as db:
        invoices = await repository.due_until(db, app.now().date() + timedelta(days=days))
    for invoice in invoices:
        line = f"{found.name}: invoice {invoice.number} over {invoice.amount} is due {invoice.due}"
        await app.get(Printer).send(line)
    print(f"{len(invoices)} reminders printed")  # noqa: T201  it is a command
