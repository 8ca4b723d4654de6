"""What an operator sets: VINC_INVOICES__PRINTER_URL in the environment, or `printer_url` in plugins.toml."""

from typing import Annotated

from pydantic import Field

from vinc_kernel import Settings, provided


class InvoiceSettings(Settings):
    """Where reminders are printed, and how many days a customer has to pay."""

    printer_url: str = "http://localhost:9100"
    days: Annotated[int, Field(ge=0, le=3650)] = 30


Terms = Annotated[InvoiceSettings, provided(InvoiceSettings)]
