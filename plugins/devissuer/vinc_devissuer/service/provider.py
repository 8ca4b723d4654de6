"""The accounts of the development issuer as an `IdentityProvider`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from vinc_identity.contracts import Profile, ProviderUser, ServiceCredentials, UserExists, UserMissing

from .. import repository
from ..errors import Refused
from ..schemas import Account
from . import invites
from .grants import normalise_email
from .issuer import CLIENT, DevIssuer
from .passwords import random_secret

MISSING = "the development issuer has no such user"
MAX_EMAIL = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
is_service_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}").fullmatch


@dataclass(frozen=True, slots=True)
class StoredUsers:
    """An `IdentityProvider`."""

    dev_issuer: DevIssuer

    @property
    def issuer(self) -> str:
        return self.dev_issuer.url

    async def find(self, email: str) -> ProviderUser | None:
        async with self.dev_issuer.app.session() as db:
            account = await repository.find(db, "email", check_email(email))
        return to_provider_user(account) if account else None

    async def create(self, profile: Profile) -> ProviderUser:
        async with self.dev_issuer.app.session() as db:
            added = await repository.add(db, [{"email": check_email(profile.email), **profile_columns(profile)}])
        if not added:
            raise UserExists("the development issuer has a user with this address already")
        return to_provider_user(added[0])

    async def update(self, subject: str, profile: Profile) -> None:
        """Replace the profile; raises UserMissing, and UserExists for an address that another user has."""
        user_id = parse_subject(subject)
        async with self.dev_issuer.app.session() as db:
            account = await repository.get(db, user_id)
            if account is None:
                raise UserMissing(MISSING)
            values = profile_columns(profile)
            if account.client_id is None:
                values["email"] = email = check_email(profile.email)
                holder = await repository.find(db, "email", email)
                if holder is not None and holder.id != user_id:
                    raise UserExists("the development issuer has another user with this address")
            await repository.change(db, user_id, values)

    async def disable(self, subject: str, *, disabled: bool = True) -> None:
        """Stop or resume issuing tokens; disabling ends all sessions."""
        async with self.dev_issuer.app.session() as db:
            if not await repository.set_enabled(db, parse_subject(subject), enabled=not disabled):
                raise UserMissing(MISSING)
            if disabled:
                await repository.end_sessions(db, parse_subject(subject))

    async def set_password(self, subject: str, password: str, *, temporary: bool = False) -> None:
        if not password:
            raise Refused("the password is empty: choose another one")
        hashed = await self.dev_issuer.passwords.hash(password)
        async with self.dev_issuer.app.session() as db:
            if not await repository.set_password(db, parse_subject(subject), hashed, temporary=temporary):
                raise UserMissing(MISSING)

    async def invite(self, subject: str) -> str:
        """Return a link to the page where the person chooses a password."""
        async with self.dev_issuer.app.session() as db:
            account = await repository.get(db, parse_subject(subject))
        if account is None or account.client_id is not None:
            raise UserMissing(MISSING)
        return await invites.create_link(self.dev_issuer, account.id)

    async def end_sessions(self, subject: str, generation: int) -> None:
        """End all sessions, and write this number into tokens from now on, in one transaction."""
        async with self.dev_issuer.app.session() as db:
            await repository.end_sessions(db, parse_subject(subject))
            if not await repository.raise_generation(db, parse_subject(subject), generation):
                raise UserMissing(MISSING)

    async def create_service(self, name: str, profile: Profile) -> ServiceCredentials:
        if not is_service_name(name):
            raise Refused("a service account is called like billing-export: 1 to 63 letters, digits, '.', '_' and '-'")
        secret = random_secret()
        hashed = await self.dev_issuer.passwords.hash(secret)
        new = {"client_id": name, "password_hash": hashed, **profile_columns(profile), "name": profile.name or name}
        async with self.dev_issuer.app.session() as db:
            added = [] if name == CLIENT else await repository.add(db, [new])
        if not added:
            raise UserExists("the development issuer has a client of this name already")
        return ServiceCredentials(subject=str(added[0].id), client_id=name, secret=secret)

    async def find_service(self, name: str) -> str | None:
        async with self.dev_issuer.app.session() as db:
            account = await repository.find(db, "client_id", name)
        return str(account.id) if account else None

    async def new_service_secret(self, subject: str) -> ServiceCredentials:
        """Replace the secret; raises UserMissing, also for a person."""
        secret = random_secret()
        hashed = await self.dev_issuer.passwords.hash(secret)
        async with self.dev_issuer.app.session() as db:
            account = await repository.get(db, parse_subject(subject))
            if account is None or account.client_id is None:
                raise UserMissing(MISSING)
            await repository.set_password(db, account.id, hashed, temporary=False)
        return ServiceCredentials(subject=subject, client_id=account.client_id, secret=secret)

    async def delete_service(self, subject: str) -> None:
        """Delete a service account; raises UserMissing, also for a person."""
        async with self.dev_issuer.app.session() as db:
            if not await repository.delete_service(db, parse_subject(subject)):
                raise UserMissing(MISSING)


def check_email(email: str) -> str:
    """Return the address as it is stored; raises Refused."""
    address = normalise_email(email)
    name, at, domain = address.rpartition("@")
    if not (name and at and domain) or not address.isprintable() or " " in address or len(address) > MAX_EMAIL:
        raise Refused("this is not an e-mail address: write it like somebody@example.com")
    return address


def profile_columns(profile: Profile) -> dict[str, Any]:
    """Return the columns of a profile, without its address."""
    return {
        "name": profile.name,
        "role": profile.role,
        "tenants": list(profile.tenants),
        "customers": list(profile.customers),
        "addresses": list(profile.addresses),
    }


def to_provider_user(account: Account) -> ProviderUser:
    profile = Profile(
        email=account.email or "",
        name=account.name,
        role=account.role,
        tenants=tuple(account.tenants),
        customers=tuple(account.customers),
        addresses=tuple(account.addresses),
    )
    return ProviderUser(subject=str(account.id), profile=profile, enabled=account.enabled)


def parse_subject(subject: str) -> UUID:
    try:
        return UUID(subject)
    except ValueError:
        raise UserMissing(MISSING) from None
