"""Keycloak as an `IdentityProvider`."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from vinc_identity.contracts import (
    Profile,
    ProviderUnavailable,
    ProviderUser,
    ServiceCredentials,
    UserExists,
    UserMissing,
)

from ..errors import CONFLICT, NOT_FOUND, SERVER_ERROR, Refused
from . import desired, users
from .connection import Admin

T = TypeVar("T")
Json = dict[str, Any]
is_subject = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_-]{0,254}").fullmatch  # it becomes part of a path
SERVICE = "service-"  # the prefix keeps service accounts apart from other clients
MANAGED = "vinc.service-account"  # an attribute of our clients: other clients may have the prefix too
USERNAME = "service-account-"  # before the client id: the name that Keycloak gives a client's user


@contextmanager
def conflict_means(message: str) -> Generator[None]:
    """Raise UserExists where Keycloak has it already."""
    try:
        yield
    except Refused as refused:
        if refused.status == CONFLICT:
            raise UserExists(message) from refused
        raise


class KeycloakProvider:
    """The users of one realm, through the admin connection."""

    def __init__(self, admin: Admin, audience: str) -> None:
        self.admin, self.settings, self.audience = admin, admin.settings, audience
        self.locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def issuer(self) -> str:
        return self.settings.issuer_url

    async def find(self, email: str) -> ProviderUser | None:
        """Return the user with this address, compared without case, as Keycloak does; None where there is none."""
        query = {"email": email, "exact": "true", "max": 2}
        found = await self.admin.ask("find a user", lambda keycloak: keycloak.a_get_users(query))
        same = [one for one in found if str(one.get("email", "")).casefold() == email.casefold()]
        return users.to_provider_user(same[0], self.settings) if len(same) == 1 else None

    async def create(self, profile: Profile) -> ProviderUser:
        user = {**users.to_representation(profile, self.settings), "enabled": True}
        with conflict_means(f"Keycloak has a user {profile.email} already"):
            subject = await self.admin.ask("make a user", lambda keycloak: keycloak.a_create_user(user))
        await self.verify(subject, user)
        return ProviderUser(subject=subject, profile=profile)

    async def update(self, subject: str, profile: Profile) -> None:
        with conflict_means(f"Keycloak has another user {profile.email} already"):
            await self.change(subject, lambda found: users.to_representation(profile, self.settings, found))

    async def disable(self, subject: str, *, disabled: bool = True) -> None:
        await self.change(subject, lambda found: {**found, "enabled": not disabled})

    async def set_password(self, subject: str, password: str, *, temporary: bool = False) -> None:
        await self.call(
            subject,
            "set a password: it may not be what the realm's rules want",
            lambda keycloak: keycloak.a_set_user_password(subject, password, temporary),
        )

    async def invite(self, subject: str) -> str | None:
        """Send a mail with a link to choose a password; following the link verifies the address."""
        try:
            await self.call(
                subject,
                "send an invitation: the user may be disabled",
                lambda keycloak: keycloak.a_send_update_account(subject, ["UPDATE_PASSWORD"]),
            )
        except Refused as refused:
            if refused.status >= SERVER_ERROR:
                raise ProviderUnavailable(
                    f"Keycloak at {self.settings.server_url} could not send the mail: set VINC_KEYCLOAK__SMTP_HOST and"
                    " its like, run `vinc keycloak bootstrap`, and see whether that mail server takes mails"
                ) from refused
            raise
        return None

    async def end_sessions(self, subject: str, generation: int) -> None:
        await self.call(subject, "end sessions", lambda keycloak: keycloak.a_user_logout(subject))

        def set_generation(found: Json) -> Json:
            number = max(users.read_generation(found, self.settings), generation)
            has = found.get("attributes") or {}
            return {**found, "attributes": {**has, self.settings.generation_attribute: [str(number)]}}

        await self.change(subject, set_generation)

    async def create_service(self, name: str, profile: Profile) -> ServiceCredentials:
        """Create a confidential client with the client-credentials flow only; deletes it again if a step fails."""
        client_id = f"{SERVICE}{name}"
        if client_id == self.audience:  # its ID tokens would have our audience (threats, T2)
            raise UserExists(f"{client_id} is what VINC_JWT_AUDIENCE says, and so no name for a client")
        client = self.service_client(client_id, name)
        with conflict_means(f"Keycloak has a client {client_id} already: choose another name"):
            key = await self.admin.ask("make a client", lambda keycloak: keycloak.a_create_client(client))
        try:
            return await self.finish_service(client_id, key, profile)
        except BaseException:
            await self.admin.ask("take a client back", lambda keycloak: keycloak.a_delete_client(key))
            raise

    def service_client(self, client_id: str, name: str) -> Json:
        return {
            "clientId": client_id,
            "name": name,
            "protocol": "openid-connect",
            "publicClient": False,
            "serviceAccountsEnabled": True,
            "standardFlowEnabled": False,
            "implicitFlowEnabled": False,
            "directAccessGrantsEnabled": False,
            "fullScopeAllowed": False,
            "attributes": {MANAGED: "true"},
            "protocolMappers": desired.mappers(self.settings, self.audience),
        }

    async def finish_service(self, client_id: str, key: str, profile: Profile) -> ServiceCredentials:
        ask = self.admin.ask
        secret = await ask("show a secret", lambda keycloak: keycloak.a_get_client_secrets(key))
        subject = await self.get_user_of(key)
        claims = users.attributes(profile, self.settings)
        await self.change(subject, lambda found: {**found, "attributes": {**(found.get("attributes") or {}), **claims}})
        return ServiceCredentials(subject=subject, client_id=client_id, secret=secret["value"])

    async def find_service(self, name: str) -> str | None:
        key = await self.find_client_key(f"{SERVICE}{name}")
        return await self.get_user_of(key) if key else None

    async def new_service_secret(self, subject: str) -> ServiceCredentials:
        client_id, key = await self.get_client(subject)
        secret = await self.call(
            subject, "make a secret", lambda keycloak: keycloak.a_generate_client_secrets(client_id=key)
        )
        return ServiceCredentials(subject=subject, client_id=client_id, secret=secret["value"])

    async def delete_service(self, subject: str) -> None:
        """Delete the client; Keycloak deletes its user too."""
        _, key = await self.get_client(subject)
        await self.call(subject, "delete a client", lambda keycloak: keycloak.a_delete_client(client_id=key))

    async def get_client(self, subject: str) -> tuple[str, str]:
        """Return id and key of a service account's client; raises UserMissing, also for a person."""
        user = await self.call(subject, "show a user", lambda keycloak: keycloak.a_get_user(subject))
        client_id = str(user["username"]).removeprefix(USERNAME)
        key = await self.find_client_key(client_id) if client_id.startswith(SERVICE) else None
        if key is None or await self.get_user_of(key) != subject:
            raise UserMissing("Keycloak has no such service account")
        return client_id, key

    async def find_client_key(self, client_id: str) -> str | None:
        """Return Keycloak's key of a service account's client; None where it does not exist, or is not ours."""
        key: str | None = await self.admin.ask("find a client", lambda keycloak: keycloak.a_get_client_id(client_id))
        if key is None:
            return None
        found = await self.admin.ask("show a client", lambda keycloak: keycloak.a_get_client(key))
        return key if MANAGED in found.get("attributes", {}) else None

    async def get_user_of(self, key: str) -> str:
        user = await self.admin.ask("find its user", lambda keycloak: keycloak.a_get_client_service_account_user(key))
        return str(user["id"])

    async def change(self, subject: str, change: Callable[[Json], Json]) -> None:
        """Read a user, change it, and write all of it, as Keycloak's PUT replaces everything.

        One change at a time in this process; Keycloak has no way to detect a change by another one in between.
        """
        async with self.locks.setdefault(subject, asyncio.Lock()):
            found = await self.call(subject, "show a user", lambda keycloak: keycloak.a_get_user(subject))
            kept = {key: value for key, value in found.items() if key not in users.READ_ONLY}
            changed = change(kept)
            if changed != kept:
                await self.call(subject, "change a user", lambda keycloak: keycloak.a_update_user(subject, changed))
                await self.verify(subject, changed)

    async def verify(self, subject: str, sent: Json) -> None:
        """Raise ProviderUnavailable where Keycloak has dropped an attribute, as it does with undeclared ones."""
        found = await self.call(subject, "show a user", lambda keycloak: keycloak.a_get_user(subject))
        if dropped := users.find_dropped(sent, found):
            raise ProviderUnavailable(
                f"Keycloak at {self.settings.server_url} does not keep the attribute {dropped!r} of a user"
                " as it was sent:"
                " run `vinc keycloak bootstrap`, which declares it"
            )

    async def call(self, subject: str, what: str, call: Callable[[Any], Awaitable[T]]) -> T:
        """Make a call about one user; raises UserMissing."""
        if not is_subject(subject):
            raise UserMissing("Keycloak has no such user")
        try:
            return await self.admin.ask(what, call)
        except Refused as refused:
            if refused.status == NOT_FOUND:
                raise UserMissing("Keycloak has no such user") from refused
            raise
