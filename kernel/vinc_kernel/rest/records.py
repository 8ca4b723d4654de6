"""Audit columns, which the database fills in."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, Integer, column, func, table, text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

# Written as PostgreSQL writes it back, so that a comparison of models and database is one of strings.
ACTOR = "(NULLIF(current_setting('vinc.actor_id'::text, true), ''::text))::uuid"


class AuditColumns:
    """Brings `created_at`, `updated_at`, `created_by`, `updated_by` and `version` to a table.

    `created_by` and `updated_by` hold the principal's id, null for the system's own work. `version` begins with 1 and
    grows with each update; an ETag is made of it. An update in textual SQL must set `updated_*` and `version` itself.
    """

    __mapper_args__: ClassVar[dict[str, Any]] = {"eager_defaults": True}  # an AsyncSession cannot fetch them later

    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), sort_order=90)
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.now(), sort_order=91
    )
    created_by: Mapped[UUID | None] = mapped_column(server_default=text(ACTOR), sort_order=92)
    updated_by: Mapped[UUID | None] = mapped_column(server_default=text(ACTOR), onupdate=text(ACTOR), sort_order=93)

    @declared_attr
    @classmethod
    def version(cls) -> Mapped[int]:
        # By the table's name: an update may join others that have a version too.
        before = table(cls.__tablename__, column("version", Integer)).c.version  # type: ignore[attr-defined]  # a mapped class has one
        return mapped_column(Integer, server_default=text("1"), onupdate=before + text("1"), sort_order=94)
