"""What other plugins may import."""

from uuid import UUID

from vinc_kernel import Event


class InvoiceCreated(Event):
    """The tenant has a new invoice."""

    invoice_id: UUID
