"""The base classes of request and response models."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ..strict_schema import StrictModel
from .types import UtcDateTime


class RequestModel(StrictModel):
    """The base of request models: an undeclared field is refused, and so is a value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def sent_fields(self) -> dict[str, Any]:
        """Return the fields that the caller sent; null is a value."""
        return self.model_dump(exclude_unset=True)


def optional() -> Any:
    """Return the default of a PATCH field: it may be absent, and null only where its type allows it."""
    return Field(default=None, json_schema_extra=without_default)


def without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class ResourceModel(BaseModel):
    """The base of response models of `AuditColumns`. The version is not shown: the ETag has it."""

    id: UUID
    created_at: UtcDateTime
    updated_at: UtcDateTime
    created_by: UUID | None
    updated_by: UUID | None
    version: int = Field(exclude=True)
