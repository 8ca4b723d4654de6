"""The table of invoices."""

from datetime import date
from decimal import Decimal

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped

from vinc_kernel import TenantOwned
from vinc_kernel.rest import AuditColumns


class Invoice(AuditColumns, TenantOwned):
    """An invoice of a tenant. Unique constraints and indexes begin with tenant_id: they cover every tenant's rows."""

    __tablename__ = "invoices_invoice"
    __table_args__ = (UniqueConstraint("tenant_id", "number"), Index(None, "tenant_id", "due", "id"))

    number: Mapped[str]
    amount: Mapped[Decimal]
    due: Mapped[date]
