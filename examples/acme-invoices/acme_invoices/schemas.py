"""Request and response bodies. Their types refuse what the database could not store."""

from typing import Annotated

from pydantic import ConfigDict, Field

from vinc_kernel.rest import Date, Money, RequestModel, ResourceModel, Text, optional

Number = Annotated[Text, Field(min_length=1, max_length=40)]


class NewInvoice(RequestModel):
    """A new invoice, as a client sends it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"number": "2026-1", "amount": "12.50"}]})

    number: Number
    amount: Money


class InvoiceChange(RequestModel):
    """Changes of an invoice; fields that are not sent stay as they are."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": "13.50", "due": "2026-12-24"}]})

    number: Number = optional()
    amount: Money = optional()
    due: Date = optional()


class InvoiceOut(ResourceModel):
    """A stored invoice, with its id and audit columns."""

    number: Text
    amount: Money
    due: Date
