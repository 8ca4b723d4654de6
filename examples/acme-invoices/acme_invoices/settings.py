"""Settings of the installation, and settings of each tenant."""

from typing import Annotated

from pydantic import Field

from vinc_kernel import Settings, TenantSettings, inject


class InvoiceSettings(Settings):
    """Where reminders are printed: VINC_INVOICES__PRINTER_URL, or `printer_url` in plugins.toml."""

    printer_url: str = "http://localhost:9100"


class InvoiceTerms(TenantSettings):
    """How many days the tenant's customers have to pay."""

    days: Annotated[int, Field(ge=0, le=3650)] = 30


Terms = Annotated[InvoiceTerms, inject(InvoiceTerms)]
