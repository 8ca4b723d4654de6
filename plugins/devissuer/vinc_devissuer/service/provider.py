"""The identity provider that other plugins ask: the accounts of the development issuer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from vinc_identity.contracts import Profile, ProviderUser, ServiceCredentials, UserExists, UserMissing

from .. import repository
from ..errors import Refused
from ..schemas import Account
from . import invites
from .grants import normalised
from .issuer import CLIENT, DevIssuer
from .passwords import random_secret

MISSING = "the development issuer has no such user"
LONGEST_EMAIL = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
service_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}").fullmatch


@dataclass(frozen=True, slots=True)
class StoredUsers:
    """An `IdentityProvider`."""

    of: DevIssuer

    @property
    def issuer(self) -> str:
        """The `iss` of its tokens."""
        return self.of.url

    async def find(self, email: str) -> ProviderUser | None:
        """The user with this address."""
        async with self.of.app.session() as db:
            found = await repository.named(db, "email", checked(email))
        return user_of(found) if found else None

    async def create(self, profile: Profile) -> ProviderUser:
        """Make a user without a password; raises UserExists."""
        async with self.of.app.session() as db:
            made = await repository.add(db, [{"email": checked(profile.email), **columns(profile)}])
        if not made:
            raise UserExists("the development issuer has a user with this address already")
        return user_of(made[0])

    async def update(self, subject: str, profile: Profile) -> None:
        """Make the profile equal to this one; raises UserMissing, and UserExists for an address that another has."""
        user_id = id_of(subject)
        async with self.of.app.session() as db:
            found = await repository.one(db, user_id)
            if found is None:
                raise UserMissing(MISSING)
            values = columns(profile)
            if found.client_id is None:
                values["email"] = email = checked(profile.email)
                holder = await repository.named(db, "email", email)
                if holder is not None and holder.id != user_id:
                    raise UserExists("the development issuer has another user with this address")
            await repository.change(db, user_id, values)

    async def disable(self, subject: str, *, disabled: bool = True) -> None:
        """Give no tokens any more, or give them again; the sessions that there were have ended."""
        async with self.of.app.session() as db:
            if not await repository.set_enabled(db, id_of(subject), enabled=not disabled):
                raise UserMissing(MISSING)
            if disabled:
                await repository.end_sessions(db, id_of(subject))

    async def set_password(self, subject: str, password: str, *, temporary: bool = False) -> None:
        """Set the password, and end the sessions that an earlier one began."""
        if not password:
            raise Refused("the password is empty: choose another one")
        hashed = await self.of.passwords.hash(password)
        async with self.of.app.session() as db:
            if not await repository.set_password(db, id_of(subject), hashed, temporary=temporary):
                raise UserMissing(MISSING)

    async def invite(self, subject: str) -> str:
        """A link to the page where the person chooses a password."""
        async with self.of.app.session() as db:
            found = await repository.one(db, id_of(subject))
        if found is None or found.client_id is not None:
            raise UserMissing(MISSING)
        return await invites.link(self.of, found.id)

    async def end_sessions(self, subject: str, generation: int) -> None:
        """End all sessions, and stamp this number from now on; both or neither."""
        async with self.of.app.session() as db:
            await repository.end_sessions(db, id_of(subject))
            if not await repository.raise_generation(db, id_of(subject), generation):
                raise UserMissing(MISSING)

    async def create_service(self, name: str, profile: Profile) -> ServiceCredentials:
        """Make a service account, whose client id is its name; raises UserExists."""
        if not service_name(name):
            raise Refused("a service account is called like billing-export: 1 to 63 letters, digits, '.', '_' and '-'")
        secret = random_secret()
        hashed = await self.of.passwords.hash(secret)
        new = {"client_id": name, "password_hash": hashed, **columns(profile), "name": profile.name or name}
        async with self.of.app.session() as db:
            made = [] if name == CLIENT else await repository.add(db, [new])
        if not made:
            raise UserExists("the development issuer has a client of this name already")
        return ServiceCredentials(subject=str(made[0].id), client_id=name, secret=secret)

    async def find_service(self, name: str) -> str | None:
        """The subject of the service account with this client id."""
        async with self.of.app.session() as db:
            found = await repository.named(db, "client_id", name)
        return str(found.id) if found else None

    async def new_service_secret(self, subject: str) -> ServiceCredentials:
        """Put another secret in the place of the one before; raises UserMissing, also for a person."""
        secret = random_secret()
        hashed = await self.of.passwords.hash(secret)
        async with self.of.app.session() as db:
            found = await repository.one(db, id_of(subject))
            if found is None or found.client_id is None:
                raise UserMissing(MISSING)
            await repository.set_password(db, found.id, hashed, temporary=False)
        return ServiceCredentials(subject=subject, client_id=found.client_id, secret=secret)

    async def delete_service(self, subject: str) -> None:
        """Take a service account away; raises UserMissing, also for a person."""
        async with self.of.app.session() as db:
            if not await repository.delete_service(db, id_of(subject)):
                raise UserMissing(MISSING)


def checked(email: str) -> str:
    """The address as it is stored; raises Refused for what is none."""
    address = normalised(email)
    name, at, domain = address.rpartition("@")
    if not (name and at and domain) or not address.isprintable() or " " in address or len(address) > LONGEST_EMAIL:
        raise Refused("this is no e-mail address: write it as somebody@example.com")
    return address


def columns(profile: Profile) -> dict[str, Any]:
    """The columns of a profile, but for its address."""
    return {
        "name": profile.name,
        "role": profile.role,
        "tenants": list(profile.tenants),
        "customers": list(profile.customers),
        "addresses": list(profile.addresses),
    }


def user_of(account: Account) -> ProviderUser:
    profile = Profile(
        email=account.email or "",
        name=account.name,
        role=account.role,
        tenants=tuple(account.tenants),
        customers=tuple(account.customers),
        addresses=tuple(account.addresses),
    )
    return ProviderUser(subject=str(account.id), profile=profile, enabled=account.enabled)


def id_of(subject: str) -> UUID:
    try:
        return UUID(subject)
    except ValueError:
        raise UserMissing(MISSING) from None


def demo_values(profile: Profile, hashed: str) -> Mapping[str, Any]:
    """A person with a password, as a row."""
    return {"email": checked(profile.email), "password_hash": hashed, **columns(profile)}
