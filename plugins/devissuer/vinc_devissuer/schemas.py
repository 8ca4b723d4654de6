"""What is read out of the tables, and answered. Secrets have no place in a repr."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedKey:
    """A key as it is told to everybody; `signs`: it was told long enough ago for everybody to know it."""

    kid: str
    signs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A key with its private part, a JWK as text."""

    kid: str
    private_jwk: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person or a service account, as stored."""

    id: UUID
    email: str | None
    client_id: str | None
    name: str
    password_hash: str | None = field(repr=False)
    temporary: bool
    enabled: bool
    role: str
    tenants: Sequence[str]
    customers: Sequence[str]
    addresses: Sequence[str]
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """A session whose refresh token was just used."""

    id: UUID
    user_id: UUID
    scope: str
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """How often something was tried, this time included."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How often something was tried, and when that began, or locked it."""

    key: str
    count: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """An account, by its address or client id, or an address that is locked."""

    name: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """Whose link it is."""

    user_id: UUID
    email: str


class OAuthError(BaseModel):
    """Why there is no token (RFC 6749, 5.2)."""

    error: str
    error_description: str
    error_uri: str | None = None
