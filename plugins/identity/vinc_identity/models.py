"""The table of principals. It belongs to the platform, not to a tenant, and has no row level security."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, Text, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from vinc_kernel import Base
from vinc_kernel.rest import uuid7

PERSON, SERVICE = "person", "service"


class Principal(Base):
    """A person or service account whose tokens are trusted, and whether it is disabled.

    `generation` counts how often its sessions were ended: only tokens with exactly this number are accepted.
    `provider_generation` is the number that the identity provider is known to write into tokens, and `provider_synced`
    whether it knows the value of `disabled`. Until `lease_expires_at` one worker synchronises them, or failed to.
    `email` is in lower case, and empty where it is unknown. `role`, `tenant` and `expires_at` are set for service
    accounts only. The column is not called `tenant_id` because the row does not belong to the tenant.
    """

    __tablename__ = "identity_principal"
    __table_args__ = (
        CheckConstraint("kind in ('person', 'service')", name="kind"),
        UniqueConstraint("issuer", "subject"),
        Index(None, "subject"),
        Index(None, "email", "id"),
        Index(None, "kind", "created_at", "id"),
        Index(None, "disabled", "created_at", "id"),
        Index(None, "created_at", "id"),
        Index(None, "last_seen", "id"),
        Index(
            "ix_identity_principal_unsynced",
            "lease_expires_at",
            postgresql_where=text("generation > provider_generation or not provider_synced"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    issuer: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text, server_default=PERSON)
    email: Mapped[str] = mapped_column(Text, server_default="")
    name: Mapped[str] = mapped_column(Text, server_default="")
    role: Mapped[str | None] = mapped_column(Text)
    tenant: Mapped[UUID | None]
    disabled: Mapped[bool] = mapped_column(server_default=text("false"))
    provider_synced: Mapped[bool] = mapped_column(server_default=text("true"))
    generation: Mapped[int] = mapped_column(server_default=text("0"))
    provider_generation: Mapped[int] = mapped_column(server_default=text("0"))
    lease_expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_seen: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
