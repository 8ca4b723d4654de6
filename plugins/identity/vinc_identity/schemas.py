"""The rows of the table, and the responses."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from vinc_kernel.rest import Text, UtcDateTime

Kind = Literal["person", "service"]
ProviderState = Literal["confirmed", "pending", "none"]
"""Whether the identity provider has applied all changes; `none` where no provider here manages the issuer."""


class StoredPrincipal(BaseModel):
    """A principal as stored."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    issuer: str
    subject: str
    kind: Kind
    email: str
    name: str
    role: str | None
    tenant: UUID | None
    disabled: bool
    provider_synced: bool
    generation: int
    provider_generation: int
    expires_at: UtcDateTime | None
    last_seen: UtcDateTime | None
    created_at: UtcDateTime

    @property
    def key(self) -> tuple[str, str]:
        """The issuer and subject that tokens name it by."""
        return self.issuer, self.subject

    def provider_state(self, managed_issuer: str) -> ProviderState:
        """Return whether the provider of this issuer has applied all changes; the issuer is empty where none runs."""
        if self.issuer != managed_issuer:
            return "none"
        return "confirmed" if self.provider_synced and self.provider_generation >= self.generation else "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingSync:
    """What one worker must tell the provider about a principal before `lease_expires_at`."""

    id: UUID
    subject: str
    disabled: bool
    provider_synced: bool
    generation: int
    provider_generation: int
    lease_expires_at: datetime


class PrincipalOut(BaseModel):
    """A principal that has signed in, or that an operator has registered.

    `role`, `tenant` and `expires_at` belong to service accounts; the rights of people are in their tokens. `provider`
    is `pending` while the identity provider has not applied a change: until then all tokens are refused.
    """

    id: UUID
    issuer: Text
    subject: Text
    kind: Kind
    email: Text | None
    name: Text | None
    role: Text | None
    tenant: UUID | None
    disabled: bool
    provider: ProviderState
    expires_at: UtcDateTime | None
    last_seen: UtcDateTime | None
    created_at: UtcDateTime


class SessionsEnded(BaseModel):
    """All sessions have ended. `pending`: nobody can sign in again until the identity provider has applied it."""

    provider: Literal["confirmed", "pending"]


class ActiveTenant(BaseModel):
    """The tenant of a request."""

    id: UUID
    slug: Text


class Me(BaseModel):
    """The caller. `tenants`, `customers` and `addresses` are ids or slugs, as in the token."""

    id: UUID
    issuer: Text
    subject: Text
    kind: Kind
    email: Text | None
    role: Text | None
    tenants: list[str]
    customers: list[str]
    addresses: list[str]
    multi_tenant: bool
    tenant: ActiveTenant | None = Field(description="The tenant of this request; null where none is selected.")
    until: UtcDateTime = Field(description="When the token expires.")
