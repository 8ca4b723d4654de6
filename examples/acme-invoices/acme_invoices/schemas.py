"""What is sent and answered. `Text` and `Money` refuse what the database could not keep."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from vinc_kernel.rest import Money, Text


class NewInvoice(BaseModel):
    """What a caller says of a new invoice; the rest is ours to say."""

    model_config = ConfigDict(extra="forbid")

    number: Annotated[Text, Field(min_length=1, max_length=40)]
    amount: Money


class InvoiceOut(BaseModel):
    """An invoice as it is stored."""

    id: UUID
    number: Text
    amount: Money
    due: date
