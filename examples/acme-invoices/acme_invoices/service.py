"""The rules of invoices."""

from datetime import date, timedelta

from vinc_kernel import App, Session, TenantDirectory, VincError

from . import repository
from .printer import Printer
from .schemas import InvoiceOut, NewInvoice
from .settings import InvoiceTerms


async def create(db: Session, new: NewInvoice, terms: InvoiceTerms, today: date) -> InvoiceOut:
    """Create an invoice that is due as the tenant's terms say; the request commits it."""
    return await repository.add(db, new, today + timedelta(days=terms.days))


async def remind(app: App, tenant: str, days: int = 7) -> None:
    """Print a reminder of each invoice that is due soon: `vinc invoices remind acme --days 7`."""
    found = await app.get(TenantDirectory).find(tenant)
    if found is None:
        raise VincError(f"there is no tenant {tenant!r}; name one by its id or slug")
    async with app.session(found.id) as db:
        due = await repository.list_due(db, app.now().date() + timedelta(days=days))
    for one in due:
        await app.get(Printer).send(f"{found.name}: invoice {one.number} over {one.amount} is due {one.due}")
    print(f"{len(due)} reminders printed")  # noqa: T201  it is a command
