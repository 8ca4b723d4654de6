"""An identity provider that a test can send away, and the tokens that it would stamp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from types import ModuleType
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
from vinc_kernel import App, hooks
from vinc_testing import Database, MakeToken, VincApp

ISSUER = "urn:vinc:test"  # whose tokens VINC_ENV=test believes
ELSEWHERE = "urn:elsewhere"
ENABLED = "[plugins.health]\n[plugins.tenants]\n[plugins.identity]\n"


@dataclass
class FakeProvider:
    """An `IdentityProvider` in memory. `stamped` are the numbers in its tokens, `calls` what it was asked to change.

    While it is `away` every method raises; `before` runs first in each.
    """

    issuer: str = ISSUER
    users: dict[str, ProviderUser] = field(default_factory=dict)
    stamped: dict[str, int] = field(default_factory=dict)
    passwords: dict[str, tuple[str, bool]] = field(default_factory=dict)
    invited: list[str] = field(default_factory=list)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    mails: bool = False
    away: bool = False
    knows_all: bool = True
    before: Callable[[], Awaitable[object]] | None = None

    async def answers(self) -> None:
        if self.before is not None:
            await self.before()
        if self.away:
            raise ProviderUnavailable("the test has sent it away")

    async def known(self, subject: str) -> ProviderUser:
        await self.answers()
        if subject not in self.users and self.knows_all:
            self.users[subject] = ProviderUser(subject=subject, profile=Profile(email=""))
        if subject not in self.users:
            raise UserMissing("there is none")
        return self.users[subject]

    async def find(self, email: str) -> ProviderUser | None:
        await self.answers()
        return next((one for one in self.users.values() if one.profile.email == email), None)

    async def create(self, profile: Profile) -> ProviderUser:
        if await self.find(profile.email):
            raise UserExists("there is one already")
        made = ProviderUser(subject=f"user-{len(self.users)}", profile=profile)
        self.users[made.subject] = made
        return made

    async def update(self, subject: str, profile: Profile) -> None:
        self.users[subject] = replace(await self.known(subject), profile=profile)
        self.calls.append(("update", subject, profile.role))

    async def disable(self, subject: str, *, disabled: bool = True) -> None:
        self.users[subject] = replace(await self.known(subject), enabled=not disabled)
        self.calls.append(("disable" if disabled else "enable", subject))

    async def set_password(self, subject: str, password: str, *, temporary: bool = False) -> None:
        await self.known(subject)
        self.passwords[subject] = (password, temporary)

    async def invite(self, subject: str) -> str | None:
        await self.known(subject)
        self.invited.append(subject)
        return None if self.mails else f"https://sign.in/{subject}"

    async def end_sessions(self, subject: str, generation: int) -> None:
        await self.known(subject)
        self.stamped[subject] = max(generation, self.stamped.get(subject, 0))
        self.calls.append(("end", subject, generation))

    async def create_service(self, name: str, profile: Profile) -> ServiceCredentials:
        await self.answers()
        if name in self.users:
            raise UserExists("there is one already")
        self.users[name] = ProviderUser(subject=name, profile=profile)
        return ServiceCredentials(subject=name, client_id=name, secret=f"secret of {name}")

    async def find_service(self, name: str) -> str | None:
        await self.answers()
        return name if name in self.users else None

    async def new_service_secret(self, subject: str) -> ServiceCredentials:
        await self.known(subject)
        self.calls.append(("secret", subject))
        return ServiceCredentials(subject=subject, client_id=subject, secret=f"new secret of {subject}")

    async def delete_service(self, subject: str) -> None:
        await self.known(subject)
        del self.users[subject]
        self.stamped.pop(subject, None)
        self.calls.append(("delete", subject))


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def vinc_plugins(provider: FakeProvider) -> Mapping[str, ModuleType]:
    @hooks.lifespan
    @asynccontextmanager
    async def offer(app: App) -> AsyncGenerator[None]:
        app.provide(provider, IdentityProvider)
        yield

    module = ModuleType("made_provider.plugin")
    vars(module).update(offer=offer)
    return {"provider": module}


@pytest.fixture
def vinc_environment(tmp_path: Path) -> Mapping[str, str]:
    """Without the development issuer, which is a provider too."""
    path = tmp_path / "plugins.toml"
    path.write_text(ENABLED)
    return {"VINC_PLUGINS_FILE": str(path), "VINC_LOG_LEVEL": "info"}


@pytest.fixture
def app(vinc_app: VincApp) -> App:
    """The application, as this plugin sees it."""
    return vinc_app.plugin("identity")


@pytest.fixture
def stored(app: App) -> StoredPrincipals:
    return app.get(StoredPrincipals)


@dataclass(frozen=True)
class Caller:
    """Somebody with one token, and what they are answered."""

    client: AsyncClient
    token: str

    async def ask(self, method: str, path: str, **more: Any) -> Response:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **more)

    async def me(self) -> Response:
        return await self.ask("GET", "/identity/me")

    async def id(self) -> UUID:
        """Their id, once they have come in."""
        answer = await self.me()
        assert answer.status_code == 200, answer.text
        return UUID(answer.json()["id"])


SignIn = Callable[..., Caller]


@pytest.fixture
def sign_in(client: AsyncClient, vinc_token: MakeToken, provider: FakeProvider) -> SignIn:
    """Sign in: `sign_in("alice", "viewer", ["acme"])`, with a token as the provider stamps it now."""

    def signed_in(subject: str = "alice", role: str = "", tenants: tuple[str, ...] = (), **claims: Any) -> Caller:
        given = {"vinc_generation": provider.stamped.get(subject, 0), **claims}
        return Caller(client, vinc_token(subject, role, tenants, **given))

    return signed_in


@pytest.fixture
def boss(sign_in: SignIn) -> Caller:
    """A super admin."""
    return sign_in("boss", "super_admin")


def machine(subject: str, **more: Any) -> dict[str, Any]:
    """The claims that make a token one of a service account."""
    return {"client_id": subject, "azp": subject, **more}


def row_of(database: Database, subject: str, columns: str) -> tuple[Any, ...]:
    """What is stored of a principal of this issuer."""
    query = f"select {columns} from identity_principal where issuer = %s and subject = %s"
    found = database.admin.execute(query, [ISSUER, subject]).fetchall()
    assert len(found) == 1, found
    return found[0]


def due_again(database: Database) -> None:
    """Have the time pass after which the provider is told again."""
    database.admin.execute("update identity_principal set asking_until = now() - interval '1 s'")


async def within_a_second(asked: Callable[[], Awaitable[bool]], *, seconds: float = 1) -> float:
    """Ask until it is so, and tell how long it took.

    Raises TimeoutError after a second, the longest that a worker may believe what was.
    """
    began = monotonic()
    async with asyncio.timeout(seconds):
        while not await asked():  # noqa: ASYNC110  the other worker tells nobody when it has heard
            await asyncio.sleep(0.01)
    return monotonic() - began
