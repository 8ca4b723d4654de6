"""The table of tenants. It is the platform's and not a tenant's: no row level security hides it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from vinc_kernel import Base
from vinc_kernel.rest import uuid7

SLUG = "^[a-z](-?[a-z0-9]){2,40}$"
UUID_LIKE = "^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$"  # a slug that reads as an id would be somebody else's


class Tenant(Base):
    """A company that owns data. Its slug is never given to a second one."""

    __tablename__ = "tenants_tenant"
    __table_args__ = (
        CheckConstraint(f"slug ~ '{SLUG}'", name="slug"),
        CheckConstraint(f"slug !~ '{UUID_LIKE}'", name="slug_is_no_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    slug: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
