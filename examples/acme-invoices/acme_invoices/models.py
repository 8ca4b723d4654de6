"""The table of invoices."""

from datetime import date
from decimal import Decimal

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped

from vinc_kernel import TenantOwned
from vinc_kernel.rest import AuditColumns


class Invoice(AuditColumns, TenantOwned):  # who wrote it and when, its version; id, tenant_id, row level security
    """What one tenant bills. Its keys begin with the tenant: a key sees every tenant's rows."""

    __tablename__ = "invoices_invoice"
    __table_args__ = (UniqueConstraint("tenant_id", "number"), Index(None, "tenant_id", "due", "id"))

    number: Mapped[str]
    amount: Mapped[Decimal]
    due: Mapped[date]
