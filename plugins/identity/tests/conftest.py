"""An identity provider that a test can take away, and tokens as it would issue them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient, Response

from vinc_identity.contracts import (
    IdentityProvider,
    Profile,
    ProviderUnavailable,
    ProviderUser,
    ServiceCredentials,
    UserExists,
    UserMissing,
)
from vinc_identity.directory import StoredPrincipals
from vinc_kernel import App
from vinc_testing import Database, MakeToken, VincApp

ISSUER = "urn:vinc:test"  # of `vinc_token`
ELSEWHERE = "urn:elsewhere"
ENABLED = "[plugins.health]\n[plugins.tenants]\n[plugins.identity]\n"


@dataclass
class FakeProvider:
    """An `IdentityProvider` in memory. `generations` are the numbers in its tokens, `calls` the changes made with it.

    While it is `down` every method raises; `before` runs first in each.
    """

    issuer: str = ISSUER
    users: dict[str, ProviderUser] = field(default_factory=dict)
    generations: dict[str, int] = field(default_factory=dict)
    passwords: dict[str, tuple[str, bool]] = field(default_factory=dict)
    invited: list[str] = field(default_factory=list)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    sends_mail: bool = False
    down: bool = False
    knows_all: bool = True
    before: Callable[[], Awaitable[object]] | None = None

    async def respond(self) -> None:
        if self.before is not None:
            await self.before()
        if self.down:
            raise ProviderUnavailable("the test has stopped it")

    async def get(self, subject: str) -> ProviderUser:
        await self.respond()
        if subject not in self.users and self.knows_all:
            self.users[subject] = ProviderUser(subject=subject, profile=Profile(email=""))
        if subject not in self.users:
            raise UserMissing("there is none")
        return self.users[subject]

    async def find(self, email: str) -> ProviderUser | None:
        await self.respond()
        return next((one for one in self.users.values() if one.profile.email == email), None)

    async def create(self, profile: Profile) -> ProviderUser:
        if await self.find(profile.email):
            raise UserExists("there is one already")
        user = ProviderUser(subject=f"user-{len(self.users)}", profile=profile)
        self.users[user.subject] = user
        return user

    async def update(self, subject: str, profile: Profile) -> None:
        self.users[subject] = replace(await self.get(subject), profile=profile)
        self.calls.append(("update", subject, profile.role))

    async def disable(self, subject: str, *, disabled: bool = True) -> None:
        self.users[subject] = replace(await self.get(subject), enabled=not disabled)
        self.calls.append(("disable" if disabled else "enable", subject))

    async def set_password(self, subject: str, password: str, *, temporary: bool = False) -> None:
        await self.get(subject)
        self.passwords[subject] = (password, temporary)

    async def invite(self, subject: str) -> str | None:
        await self.get(subject)
        self.invited.append(subject)
        return None if self.sends_mail else f"https://sign.in/{subject}"

    async def end_sessions(self, subject: str, generation: int) -> None:
        await self.get(subject)
        self.generations[subject] = max(generation, self.generations.get(subject, 0))
        self.calls.append(("end", subject, generation))

    async def create_service(self, name: str, profile: Profile) -> ServiceCredentials:
        await self.respond()
        if name in self.users:
            raise UserExists("there is one already")
        self.users[name] = ProviderUser(subject=name, profile=profile)
        return ServiceCredentials(subject=name, client_id=name, secret=f"secret of {name}")

    async def find_service(self, name: str) -> str | None:
        await self.respond()
        return name if name in self.users else None

    async def new_service_secret(self, subject: str) -> ServiceCredentials:
        await self.get(subject)
        self.calls.append(("secret", subject))
        return ServiceCredentials(subject=subject, client_id=subject, secret=f"new secret of {subject}")

    async def delete_service(self, subject: str) -> None:
        await self.get(subject)
        del self.users[subject]
        self.generations.pop(subject, None)
        self.calls.append(("delete", subject))


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture(autouse=True)
def override_provider(vinc_app: VincApp, provider: FakeProvider) -> None:
    vinc_app.override(IdentityProvider, provider)


@pytest.fixture
def vinc_environment(tmp_path: Path) -> Mapping[str, str]:
    """Without the development issuer, which is a provider too."""
    path = tmp_path / "plugins.toml"
    path.write_text(ENABLED)
    return {"VINC_PLUGINS_FILE": str(path), "VINC_LOG_LEVEL": "info"}


@pytest.fixture
def app(vinc_app: VincApp) -> App:
    return vinc_app.plugin("identity")


@pytest.fixture
def stored(app: App) -> StoredPrincipals:
    return app.get(StoredPrincipals)


@dataclass(frozen=True)
class Caller:
    """Somebody with one token."""

    client: AsyncClient
    token: str

    async def ask(self, method: str, path: str, **more: Any) -> Response:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **more)

    async def me(self) -> Response:
        return await self.ask("GET", "/identity/me")

    async def id(self) -> UUID:
        """Sign in, and return the id."""
        response = await self.me()
        assert response.status_code == 200, response.text
        return UUID(response.json()["id"])

    async def status(self) -> int:
        return (await self.me()).status_code


SignIn = Callable[..., Caller]


@pytest.fixture
def sign_in(client: AsyncClient, vinc_token: MakeToken, provider: FakeProvider) -> SignIn:
    """Sign in: `sign_in("alice", "viewer", ["acme"])`, with a token as the provider issues it now."""

    def sign_in(subject: str = "alice", role: str = "", tenants: tuple[str, ...] = (), **claims: Any) -> Caller:
        claims = {"vinc_generation": provider.generations.get(subject, 0), **claims}
        return Caller(client, vinc_token(subject, role, tenants, **claims))

    return sign_in


@pytest.fixture
def boss(sign_in: SignIn) -> Caller:
    return sign_in("boss", "super_admin")


def machine(subject: str, **more: Any) -> dict[str, Any]:
    """Return the claims of a service account's token that never expires."""
    return {"client_id": subject, "azp": subject, "exp": 2**53 - 1, **more}


def row_of(database: Database, subject: str, columns: str) -> tuple[Any, ...]:
    query = f"select {columns} from identity_principal where issuer = %s and subject = %s"
    rows = database.admin.execute(query, [ISSUER, subject]).fetchall()
    assert len(rows) == 1, rows
    return rows[0]


def expire_leases(database: Database) -> None:
    """Make all changes due again that the provider has not applied."""
    database.admin.execute("update identity_principal set lease_expires_at = now() - interval '1 s'")
