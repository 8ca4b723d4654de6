"""The table of invoices."""

from datetime import date
from decimal import Decimal

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped

from vinc_kernel import TenantOwned
from vinc_kernel.rest import AuditColumns


class Invoice(AuditColumns, TenantOwned):  # adds created_by and the like, a version; id, tenant_id, row level security
    """An invoice of a tenant. Unique keys start with the tenant, as they apply to the rows of all tenants."""

    __tablename__ = "invoices_invoice"
    __table_args__ = (UniqueConstraint("tenant_id", "number"), Index(None, "tenant_id", "due", "id"))

    number: Mapped[str]
    amount: Mapped[Decimal]
    due: Mapped[date]
