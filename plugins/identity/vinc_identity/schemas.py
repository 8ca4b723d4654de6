"""What is read from the table, and what is answered."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from vinc_kernel.rest import Text, UtcDateTime

Kind = Literal["person", "service"]
Provider = Literal["confirmed", "pending", "none"]
"""Whether the identity provider has done what was wanted of it: `none` where none here administers the issuer."""


class Stored(BaseModel):
    """A principal as it is stored."""

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
    told: bool
    generation: int
    confirmed: int
    expires_at: UtcDateTime | None
    last_seen: UtcDateTime | None
    created_at: UtcDateTime

    @property
    def key(self) -> tuple[str, str]:
        """What tokens name them by."""
        return self.issuer, self.subject

    def provider(self, administered: str) -> Provider:
        """What is known of the provider, whose issuer this is; empty where there is none."""
        if self.issuer != administered:
            return "none"
        return "confirmed" if self.told and self.confirmed >= self.generation else "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """What one worker has taken on to tell the provider, until it has done so or `asking_until`."""

    id: UUID
    subject: str
    disabled: bool
    told: bool
    generation: int
    confirmed: int
    asking_until: datetime


class PrincipalOut(BaseModel):
    """A principal that has come in, or that an operator has registered.

    `role`, `tenant` and `expires_at` are of service accounts; what a person may, their tokens say. `provider` is
    `pending` while the identity provider has not confirmed what was wanted of it: until then no token comes in.
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
    provider: Provider
    expires_at: UtcDateTime | None
    last_seen: UtcDateTime | None
    created_at: UtcDateTime


class SessionsEnded(BaseModel):
    """All sessions have ended. `pending`: nobody can sign in anew until the identity provider has heard of it."""

    provider: Literal["confirmed", "pending"]


class ActiveTenant(BaseModel):
    """The tenant that a request works in."""

    id: UUID
    slug: Text


class Me(BaseModel):
    """The caller as understood. `tenants`, `customers` and `addresses` are ids or slugs, as the token has them."""

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
