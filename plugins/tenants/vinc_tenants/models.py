"""The tables of tenants. They belong to the platform and have no row level security."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from vinc_kernel import Base
from vinc_kernel.rest import AuditColumns, uuid7

from .slugs import MAX_LENGTH, SLUG, UUID_LIKE

ACTOR = "(NULLIF(current_setting('vinc.actor_id'::text, true), ''::text))::uuid"
ACTIVE, SUSPENDED, CLOSING, PURGING, PURGED = STATUSES = ("active", "suspended", "closing", "purging", "purged")


class Tenant(AuditColumns, Base):
    """A company that owns data. Its slug is never reused, so the row of a purged tenant stays.

    `settings` are the tenant's, by plugin; `disabled_plugins` are off for it.
    """

    __tablename__ = "tenants_tenant"
    __table_args__ = (
        CheckConstraint(f"slug ~ '{SLUG}'", name="slug"),
        CheckConstraint(f"slug !~ '{UUID_LIKE}'", name="slug_is_no_id"),
        CheckConstraint(f"length(slug) <= {MAX_LENGTH}", name="slug_length"),
        CheckConstraint("status in ('active', 'suspended', 'closing', 'purging', 'purged')", name="status"),
        CheckConstraint("(status = 'closing') = (purge_after is not null)", name="purge_after"),
        Index(None, "status", "purge_after"),
        Index(None, "name", "id"),
        Index(None, "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    slug: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    legal_name: Mapped[str | None] = mapped_column(Text)
    legal_address: Mapped[str | None] = mapped_column(Text)
    legal_email: Mapped[str | None] = mapped_column(Text)
    legal_number: Mapped[str | None] = mapped_column(Text)
    tax_id: Mapped[str | None] = mapped_column(Text)
    logo_url: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default=ACTIVE)
    purge_after: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    disabled_plugins: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))


class Receipt(Base):
    """What a purge deleted; `rows_after` is not 0 for append-only tables, whose rows stay. Each purge leaves one.

    `skipped_plugins` were not enabled: their hooks did not run, and what they keep elsewhere stays.
    The column is not called `tenant_id` because the row belongs to the platform, and stays.
    """

    __tablename__ = "tenants_receipt"

    tenant: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(Text)
    purged_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), primary_key=True)
    purged_by: Mapped[UUID | None] = mapped_column(server_default=text(ACTOR))
    rows_before: Mapped[dict[str, int]] = mapped_column(JSONB)
    rows_after: Mapped[dict[str, int]] = mapped_column(JSONB)
    skipped_plugins: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
