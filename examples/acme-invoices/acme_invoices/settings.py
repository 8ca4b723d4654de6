"""The settings of the installation, and those of each tenant."""

from typing import Annotated

from pydantic import Field

from vinc_kernel import Settings, TenantSettings, inject


class InvoiceSettings(Settings):
    """VINC_INVOICES__PRINTER_URL in the environment, or `printer_url` in plugins.toml: where reminders are printed."""

    printer_url: str = "http://localhost:9100"


class InvoiceTerms(TenantSettings):
    """How many days a customer of the tenant has to pay."""

    days: Annotated[int, Field(ge=0, le=3650)] = 30


Terms = Annotated[InvoiceTerms, inject(InvoiceTerms)]
