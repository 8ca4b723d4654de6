"""The requests and responses. Their types refuse what the database cannot store."""

from typing import Annotated

from pydantic import ConfigDict, Field

from vinc_kernel.rest import Date, Money, RequestModel, ResourceModel, Text, optional

Number = Annotated[Text, Field(min_length=1, max_length=40)]


class NewInvoice(RequestModel):
    """A new invoice; the service sets the other fields."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"number": "2026-1", "amount": "12.50"}]})

    number: Number
    amount: Money


class InvoiceChange(RequestModel):
    """A change of an invoice; an omitted field is unchanged."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": "13.50", "due": "2026-12-24"}]})

    number: Number = optional()
    amount: Money = optional()
    due: Date = optional()


class InvoiceOut(ResourceModel):
    """An invoice, with its id, and who wrote it and when."""

    number: Text
    amount: Money
    due: Date
