"""Make Keycloak match `desired.py`, or only find the differences. What matches is not written."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from ..errors import NOT_FOUND, AudienceIsAClient, Refused, ScopeIsLost
from . import desired
from .connection import Admin
from .drift import (
    Difference,
    Json,
    by_name,
    compare,
    compare_profile,
    merge,
    merge_profile,
    missing,
    unwanted,
)

Differences = AsyncGenerator[Difference]


async def reconcile(admin: Admin, audience: str, *, write: bool) -> Differences:
    """Yield each difference; with `write` it is corrected."""
    found = await find_realm(admin)
    if found is None:
        yield missing(f"realm {admin.settings.realm}")
        if not write:
            return  # everything else is missing with it
        await create_realm(admin)
        found = await find_realm(admin) or {}
    steps = [
        realm_step(admin, found, write=write),
        profile_step(admin, write=write),
        roles_step(admin, write=write),
        client_step(admin, audience, write=write),
    ]
    for step in steps:
        async for one in step:
            yield one


async def find_realm(admin: Admin) -> dict[str, Any] | None:
    realm = admin.settings.realm
    try:
        return await admin.ask(f"show the realm {realm}", lambda keycloak: keycloak.a_get_realm(realm))
    except Refused as refused:
        if refused.status == NOT_FOUND:
            return None
        raise


async def create_realm(admin: Admin) -> None:
    wanted = {"realm": admin.settings.realm, **desired.realm(admin.settings)}
    await admin.ask("make a realm", lambda keycloak: keycloak.a_create_realm(wanted))
    admin.forget_token()


async def realm_step(admin: Admin, found: Json, *, write: bool) -> Differences:
    wanted, name = desired.realm(admin.settings), admin.settings.realm
    differences = compare(f"realm {name}", found, wanted)
    for one in differences:
        yield one
    if not write:
        return
    # The mail server's password cannot be compared, so it is written each time.
    changed = {key: value for key, value in wanted.items() if differences or key == "smtpServer"}
    if changed:
        await admin.ask("change the realm", lambda keycloak: keycloak.a_update_realm(name, changed))


async def profile_step(admin: Admin, *, write: bool) -> Differences:
    found = await admin.ask("show the user profile", lambda keycloak: keycloak.a_get_realm_users_profile())
    wanted = [*desired.own_attributes(), *desired.attributes(admin.settings)]
    differences = compare_profile(found, wanted)
    for one in differences:
        yield one
    if differences and write:
        profile = merge_profile(found, wanted)
        await admin.ask("change the user profile", lambda keycloak: keycloak.a_update_realm_users_profile(profile))


async def roles_step(admin: Admin, *, write: bool) -> Differences:
    found = by_name(await admin.ask("list the roles", lambda keycloak: keycloak.a_get_realm_roles()))
    for name, title in desired.ROLES.items():
        if name not in found:
            yield missing(f"role {name}")
            if write:
                await create_role(admin, {"name": name, "description": title})


async def create_role(admin: Admin, role: dict[str, str]) -> None:
    await admin.ask("make a role", lambda keycloak: keycloak.a_create_realm_role(role))


async def client_step(admin: Admin, audience: str, *, write: bool) -> Differences:
    """The client, with its scopes, roles and mappers."""
    await require_unused_audience(admin, audience)
    name, wanted = admin.settings.client, desired.client(admin.settings)
    key = await admin.ask("find the client", lambda keycloak: keycloak.a_get_client_id(name))
    if key is None:
        yield missing(f"client {name}")
        if not write:
            return
        new = {"clientId": name, **wanted}
        key = await admin.ask("make the client", lambda keycloak: keycloak.a_create_client(new))
    client = Client(admin, key)
    for step in (client.settings_step, client.scopes_step, client.roles_step):
        async for one in step(write=write):
            yield one
    async for one in client.mappers_step(desired.mappers(admin.settings, audience), write=write):
        yield one


async def require_unused_audience(admin: Admin, audience: str) -> None:
    """Raise AudienceIsAClient: the audience of ID tokens is their client, and would be ours (threats, T2)."""
    if await admin.ask("find a client", lambda keycloak: keycloak.a_get_client_id(audience)) is not None:
        message = (
            f"the realm {admin.settings.realm!r} has a client that is called {audience!r}, like our audience:"
            " its ID tokens would pass for access tokens; set VINC_JWT_AUDIENCE to a name that is no client's"
        )
        raise AudienceIsAClient(message)


class Client:
    """The client that people sign in with; `key` is Keycloak's."""

    def __init__(self, admin: Admin, key: str) -> None:
        self.admin, self.key = admin, key
        self.name = f"client {admin.settings.client}"

    async def settings_step(self, *, write: bool) -> Differences:
        found = await self.admin.ask("show the client", lambda keycloak: keycloak.a_get_client(self.key))
        wanted = desired.client(self.admin.settings)
        differences = compare(self.name, found, wanted)
        for one in differences:
            yield one
        if differences and write:
            client = merge(found, wanted)
            await self.admin.ask("change the client", lambda keycloak: keycloak.a_update_client(self.key, client))

    async def scopes_step(self, *, write: bool) -> Differences:
        """The scopes of its tokens: the default ones, and those that must not be requested."""
        ask, key = self.admin.ask, self.key
        known = by_name(await ask("list the scopes", lambda keycloak: keycloak.a_get_client_scopes()))
        assigned = by_name(
            await ask("list its scopes", lambda keycloak: keycloak.a_get_client_default_client_scopes(key))
        )
        optional = by_name(
            await ask("list its scopes", lambda keycloak: keycloak.a_get_client_optional_client_scopes(key))
        )
        for scope in sorted(desired.SCOPES - assigned.keys()):
            yield missing(f"{self.name}: scope {scope}")
            if scope not in known:
                message = f"the realm has lost its own scope {scope!r}: make it again, as a realm that is new has it"
                raise ScopeIsLost(message)
            if write:
                await self.add_scope(str(known[scope]["id"]), is_optional=scope in optional)
        for scope in sorted(desired.UNWANTED_SCOPES & (assigned.keys() | optional.keys())):
            yield unwanted(f"{self.name}: scope {scope}")
            if write:
                await self.remove_scope(str(known[scope]["id"]), is_optional=scope in optional)

    async def add_scope(self, scope: str, *, is_optional: bool) -> None:
        if is_optional:
            await self.remove_scope(scope, is_optional=True)
        await self.admin.ask(
            "add a scope", lambda keycloak: keycloak.a_add_client_default_client_scope(self.key, scope, {})
        )

    async def remove_scope(self, scope: str, *, is_optional: bool) -> None:
        await self.admin.ask(
            "take a scope away",
            lambda keycloak: (
                keycloak.a_delete_client_optional_client_scope(self.key, scope)
                if is_optional
                else keycloak.a_delete_client_default_client_scope(self.key, scope)
            ),
        )

    async def roles_step(self, *, write: bool) -> Differences:
        """The roles that its tokens may have."""
        ask, key = self.admin.ask, self.key
        known = by_name(await ask("list the roles", lambda keycloak: keycloak.a_get_realm_roles()))
        assigned = by_name(
            await ask("list its roles", lambda keycloak: keycloak.a_get_realm_roles_of_client_scope(key))
        )
        absent = [name for name in desired.ROLES if name not in assigned]
        for name in absent:
            yield missing(f"{self.name}: tokens with the role {name}")
        if absent and write:
            roles = [known[name] for name in absent]
            await ask("add roles", lambda keycloak: keycloak.a_assign_realm_roles_to_client_scope(key, roles))

    async def mappers_step(self, wanted: Sequence[Json], *, write: bool) -> Differences:
        """The mappers that write claims into its tokens."""
        ask, key = self.admin.ask, self.key
        found = by_name(await ask("list its mappers", lambda keycloak: keycloak.a_get_mappers_from_client(key)))
        for one in wanted:
            what = f"{self.name}: mapper {one['name']}"
            present = found.get(one["name"])
            differences = [missing(what)] if present is None else compare(what, present, one)
            for each in differences:
                yield each
            if differences and write:
                await self.write_mapper(present, one)

    async def write_mapper(self, present: Json | None, wanted: Json) -> None:
        ask, key = self.admin.ask, self.key
        if present is None:
            await ask("add a mapper", lambda keycloak: keycloak.a_add_mapper_to_client(key, dict(wanted)))
            return
        mapper = merge(present, wanted)
        await ask("change a mapper", lambda keycloak: keycloak.a_update_client_mapper(key, present["id"], mapper))
