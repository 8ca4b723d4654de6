"""An issuer with cheap hashes, which are counted, and a person with a password."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from httpx import AsyncClient, Response

from vinc_devissuer.service.issuer import DevIssuer
from vinc_identity.contracts import IdentityProvider, Profile, ProviderUser
from vinc_kernel import App
from vinc_testing import Database, VincApp

ALICE, PASSWORD = "alice@acme.example", "correct horse battery"
INTERVAL = 0.1  # seconds between two fetches of an issuer's keys


class CountingHasher(PasswordHasher):
    """Cheap hashes, and how many were verified."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = 0

    def verify(self, *args: Any) -> Any:
        self.verified += 1
        return super().verify(*args)


@pytest.fixture
def vinc_environment() -> Mapping[str, str]:
    return {"VINC_JWT_REFRESH_INTERVAL": str(INTERVAL)}


@pytest.fixture
def app(vinc_app: VincApp) -> App:
    return vinc_app.plugin("devissuer")


@pytest.fixture
def hasher() -> CountingHasher:
    return CountingHasher()


@pytest.fixture
def issuer(app: App, hasher: CountingHasher) -> DevIssuer:
    issuer = app.get(DevIssuer)
    issuer.passwords.hasher = hasher
    return issuer


@pytest.fixture
def users(app: App, issuer: DevIssuer) -> IdentityProvider:
    users: IdentityProvider = app.get(IdentityProvider)
    return users


@pytest_asyncio.fixture
async def alice(users: IdentityProvider, vinc_database: Database) -> ProviderUser:
    """A viewer in the tenant acme, with a password."""
    vinc_database.add_tenant("acme")
    user = await users.create(Profile(email="Alice@ACME.example ", name="Alice", role="viewer", tenants=["acme"]))
    await users.set_password(user.subject, PASSWORD)
    return user


async def ask(client: AsyncClient, grant: str, **fields: str) -> Response:
    return await client.post("/devissuer/token", data={"grant_type": grant, **fields})


async def sign_in(client: AsyncClient, password: str = PASSWORD, email: str = ALICE, **fields: str) -> Response:
    return await ask(client, "password", username=email, password=password, **fields)


async def guess(client: AsyncClient, times: int, email: str = ALICE) -> list[tuple[int, bytes]]:
    answers = [await sign_in(client, password=f"guess {number}", email=email) for number in range(times)]
    return [(one.status_code, one.content) for one in answers]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def me(client: AsyncClient, token: str) -> int:
    return (await client.get("/tenants/me", headers=bearer(token))).status_code
