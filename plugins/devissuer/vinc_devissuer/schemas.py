"""The rows of the tables, and the responses. No repr shows a secret."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """A key; `signs`: it was published long enough ago for all verifiers to know it."""

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
class RenewedSession:
    """A session whose refresh token was just used."""

    id: UUID
    user_id: UUID
    scope: str
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRow:
    """The number of attempts, and when the first was, or the one that locked."""

    key: str
    count: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A locked account, by its address or client id, or a locked IP address."""

    name: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitedUser:
    """The user of a link."""

    user_id: UUID
    email: str


class OAuthError(BaseModel):
    """The error of a token request (RFC 6749, 5.2)."""

    error: str
    error_description: str
    error_uri: str | None = None
