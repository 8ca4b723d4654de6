"""The table of principals. It is the platform's and not a tenant's: no row level security hides it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, Text, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from vinc_kernel import Base
from vinc_kernel.rest import uuid7

IS_UNTOLD = "generation > confirmed or not told"
PERSON, SERVICE = "person", "service"


class Principal(Base):
    """Somebody whose tokens are believed, and whether they still are.

    `generation` counts the endings of their sessions: only tokens that carry this very number come in. `confirmed` is
    the latest that the identity provider stamps, and `told` says whether it knows of `disabled`; until `asking_until`
    one worker is telling it, or has failed to. `email` is in small letters, and empty where none is known. `role`,
    `tenant` and `expires_at` are of service accounts alone. The column is not called `tenant_id`: the row is not the
    tenant's.
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
            "ix_identity_principal_untold", "asking_until", postgresql_where=text("generation > confirmed or not told")
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
    told: Mapped[bool] = mapped_column(server_default=text("true"))
    generation: Mapped[int] = mapped_column(server_default=text("0"))
    confirmed: Mapped[int] = mapped_column(server_default=text("0"))
    asking_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_seen: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
