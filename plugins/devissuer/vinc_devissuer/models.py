"""The tables of the development issuer. They belong to the platform and have no row level security."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from vinc_kernel import Base
from vinc_kernel.rest import uuid7


class Key(Base):
    """A signing key with its private part: a JWK (RFC 7517) as text."""

    __tablename__ = "devissuer_key"

    kid: Mapped[str] = mapped_column(Text, primary_key=True)
    private_jwk: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class User(Base):
    """An account: a person, with an e-mail address, or a service account, with a `client_id`.

    `id` is the `sub` of its tokens. `password_hash` is the argon2 hash of the password or of the service's secret.
    """

    __tablename__ = "devissuer_user"
    __table_args__ = (CheckConstraint("(email is null) <> (client_id is null)", name="is_person_or_service"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    email: Mapped[str | None] = mapped_column(Text, unique=True)
    client_id: Mapped[str | None] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str | None] = mapped_column(Text)
    temporary: Mapped[bool]
    enabled: Mapped[bool]
    role: Mapped[str] = mapped_column(Text)
    tenants: Mapped[list[str]] = mapped_column(JSONB)
    customers: Mapped[list[str]] = mapped_column(JSONB)
    addresses: Mapped[list[str]] = mapped_column(JSONB)
    generation: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class SignInSession(Base):
    """A session, from a sign-in until its refresh token expires; `id` is the `sid` of its tokens.

    A refresh token has two parts: the family, which stays, and a secret, which changes with each use. Both are stored
    as hashes. `generation` is the user's at the sign-in: a session that should have ended never gets tokens with a
    later one.
    """

    __tablename__ = "devissuer_session"
    __table_args__ = (Index(None, "user_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("devissuer_user.id"))
    scope: Mapped[str] = mapped_column(Text)
    family_hash: Mapped[str] = mapped_column(Text, unique=True)
    refresh_hash: Mapped[str] = mapped_column(Text)
    generation: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Invite(Base):
    """The link by which a person chooses a password; a later one replaces it."""

    __tablename__ = "devissuer_invite"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("devissuer_user.id"), primary_key=True)
    token_hash: Mapped[str] = mapped_column(Text, unique=True)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Failure(Base):
    """How often passwords were tried for an account or from an address, and since when.

    `key` is a hash of an account, or a readable IP address. The attempt that locks sets `since` anew: the lock lasts
    from then on.
    """

    __tablename__ = "devissuer_failure"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    count: Mapped[int]
    since: Mapped[datetime] = mapped_column(DateTime(timezone=True))
