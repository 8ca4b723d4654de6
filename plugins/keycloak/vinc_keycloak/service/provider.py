"""Keycloak behind the contract of identity providers."""

import asyncio
import re
from collections.abc import Awaitable, Callable
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
subject_form = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_-]{0,254}").fullmatch  # it becomes a part of a path
SERVICE = "service-"  # so that no name of a service account is that of another client
MADE_HERE = "vinc.service-account"  # an attribute of our own clients: others may begin like that too
USER_OF = "service-account-"  # followed by its client's id: how Keycloak calls the user of a client


class KeycloakProvider:
    """An `IdentityProvider`: users of one realm, through the admin's line."""

    def __init__(self, admin: Admin, audience: str) -> None:
        self.admin, self.settings, self.audience = admin, admin.settings, audience
        self.locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def issuer(self) -> str:
        return self.settings.issuer_url

    async def find(self, email: str) -> ProviderUser | None:
        """The user with exactly this address, capital letters aside, as Keycloak keeps them."""
        query = {"email": email, "exact": "true", "max": 2}
        found = await self.admin.ask("find a user", lambda keycloak: keycloak.a_get_users(query))
        same = [one for one in found if str(one.get("email", "")).casefold() == email.casefold()]
        return users.provider_user(same[0], self.settings) if len(same) == 1 else None

    async def create(self, profile: Profile) -> ProviderUser:
        made = {**users.representation(profile, self.settings), "enabled": True}
        try:
            subject = await self.admin.ask("make a user", lambda keycloak: keycloak.a_create_user(made))
        except Refused as refused:
            if refused.status == CONFLICT:
                raise UserExists(f"Keycloak has a user {profile.email} already") from refused
            raise
        await self.check(subject, made)
        return ProviderUser(subject=subject, profile=profile)

    async def update(self, subject: str, profile: Profile) -> None:
        try:
            await self.change(subject, lambda found: users.representation(profile, self.settings, found))
        except Refused as refused:
            if refused.status == CONFLICT:
                raise UserExists(f"Keycloak has another user {profile.email} already") from refused
            raise

    async def disable(self, subject: str, *, disabled: bool = True) -> None:
        await self.change(subject, lambda found: {**found, "enabled": not disabled})

    async def set_password(self, subject: str, password: str, *, temporary: bool = False) -> None:
        await self.of(
            subject,
            "set a password: it may not be what the realm's rules want",
            lambda keycloak: keycloak.a_set_user_password(subject, password, temporary),
        )

    async def invite(self, subject: str) -> str | None:
        """Send the mail in which a person chooses a password; whoever follows its link has proved the address."""
        try:
            await self.of(
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
        await self.of(subject, "end sessions", lambda keycloak: keycloak.a_user_logout(subject))

        def stamped(found: Json) -> Json:
            number = max(users.generation(found, self.settings), generation)
            has = found.get("attributes") or {}
            return {**found, "attributes": {**has, self.settings.generation_attribute: [str(number)]}}

        await self.change(subject, stamped)

    async def create_service(self, name: str, profile: Profile) -> ServiceCredentials:
        """A confidential client that signs in as itself, and has no other flow. Half of one is taken back."""
        client_id = f"{SERVICE}{name}"
        if client_id == self.audience:  # an ID token of such a client would be meant for us (threats, T2)
            raise UserExists(f"{client_id} is what VINC_JWT_AUDIENCE says, and so no name for a client")
        made = self.service_client(client_id, name)
        try:
            key = await self.admin.ask("make a client", lambda keycloak: keycloak.a_create_client(made))
        except Refused as refused:
            if refused.status == CONFLICT:
                raise UserExists(f"Keycloak has a client {client_id} already: choose another name") from refused
            raise
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
            "attributes": {MADE_HERE: "true"},
            "protocolMappers": desired.mappers(self.settings, self.audience),
        }

    async def finish_service(self, client_id: str, key: str, profile: Profile) -> ServiceCredentials:
        ask = self.admin.ask
        secret = await ask("show a secret", lambda keycloak: keycloak.a_get_client_secrets(key))
        subject = await self.user_of(key)
        claims = users.attributes(profile, self.settings)
        await self.change(subject, lambda found: {**found, "attributes": {**(found.get("attributes") or {}), **claims}})
        return ServiceCredentials(subject=subject, client_id=client_id, secret=secret["value"])

    async def find_service(self, name: str) -> str | None:
        key = await self.key_of(f"{SERVICE}{name}")
        return await self.user_of(key) if key else None

    async def new_service_secret(self, subject: str) -> ServiceCredentials:
        client_id, key = await self.client_of(subject)
        secret = await self.of(
            subject, "make a secret", lambda keycloak: keycloak.a_generate_client_secrets(client_id=key)
        )
        return ServiceCredentials(subject=subject, client_id=client_id, secret=secret["value"])

    async def delete_service(self, subject: str) -> None:
        """Delete the client, and with it Keycloak deletes its user."""
        _, key = await self.client_of(subject)
        await self.of(subject, "delete a client", lambda keycloak: keycloak.a_delete_client(client_id=key))

    async def client_of(self, subject: str) -> tuple[str, str]:
        """The id of a service account's client, and Keycloak's key of it; raises UserMissing, also for a person."""
        user = await self.of(subject, "show a user", lambda keycloak: keycloak.a_get_user(subject))
        client_id = str(user["username"]).removeprefix(USER_OF)
        key = await self.key_of(client_id) if client_id.startswith(SERVICE) else None
        if key is None or await self.user_of(key) != subject:
            raise UserMissing("Keycloak has no such service account")
        return client_id, key

    async def key_of(self, client_id: str) -> str | None:
        """Keycloak's key of a service account's client; None for no client, and for one that somebody else has made."""
        key: str | None = await self.admin.ask("find a client", lambda keycloak: keycloak.a_get_client_id(client_id))
        if key is None:
            return None
        found = await self.admin.ask("show a client", lambda keycloak: keycloak.a_get_client(key))
        return key if MADE_HERE in found.get("attributes", {}) else None

    async def user_of(self, key: str) -> str:
        """The subject of a client's own tokens."""
        user = await self.admin.ask("find its user", lambda keycloak: keycloak.a_get_client_service_account_user(key))
        return str(user["id"])

    async def change(self, subject: str, change: Callable[[Json], Json]) -> None:
        """Read a user, change what was read, and write all of it: Keycloak's PUT replaces.

        One at a time in this process; it has no means against another one's writing in between.
        """
        async with self.locks.setdefault(subject, asyncio.Lock()):
            found = await self.of(subject, "show a user", lambda keycloak: keycloak.a_get_user(subject))
            kept = {key: value for key, value in found.items() if key not in users.MADE_UP}
            made = change(kept)
            if made != kept:
                await self.of(subject, "change a user", lambda keycloak: keycloak.a_update_user(subject, made))
                await self.check(subject, made)

    async def check(self, subject: str, made: Json) -> None:
        """Raise ProviderUnavailable where Keycloak has dropped what it took, as it does with what is not declared."""
        found = await self.of(subject, "show a user", lambda keycloak: keycloak.a_get_user(subject))
        if lost := users.lost(made, found):
            raise ProviderUnavailable(
                f"Keycloak at {self.settings.server_url} does not keep the attribute {lost!r} of a user as it was sent:"
                " run `vinc keycloak bootstrap`, which declares it"
            )

    async def of(self, subject: str, what: str, call: Callable[[Any], Awaitable[T]]) -> T:
        """Ask something about one user; raises UserMissing where there is none."""
        if not subject_form(subject):
            raise UserMissing("Keycloak has no such user")
        try:
            return await self.admin.ask(what, call)
        except Refused as refused:
            if refused.status == NOT_FOUND:
                raise UserMissing("Keycloak has no such user") from refused
            raise
