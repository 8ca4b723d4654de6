"""The bases of what is sent and answered."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from .types import UtcDateTime


class RequestModel(BaseModel):
    """What a caller sends: a field that is not declared is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def sent_fields(self) -> dict[str, Any]:
        """The fields that the caller has sent; one that is absent stays as it is, null is a value."""
        return self.model_dump(exclude_unset=True)


def optional() -> Any:
    """What a field of a PATCH defaults to: it may be absent, and null only where its type allows it."""
    return Field(default=None, json_schema_extra=without_default)


def without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class ResourceModel(BaseModel):
    """What is answered of a row that is `AuditColumns`. Its version is not shown: the ETag has it."""

    id: UUID
    created_at: UtcDateTime
    updated_at: UtcDateTime
    created_by: UUID | None
    updated_by: UUID | None
    version: int = Field(exclude=True)
