"""The realm signs with another key: nobody's request fails, and a key that is gone is believed no more."""

import asyncio
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from .conftest import Signed
from .realm import Realm, claims

INTERVAL = 1.0


@pytest.fixture
def vinc_environment(realm: Realm, plugins_file: Path) -> Mapping[str, str]:
    more = {"VINC_PLUGINS_FILE": str(plugins_file), "VINC_JWT_REFRESH_INTERVAL": str(INTERVAL)}
    return {**realm.environ, **more}


def new_key(realm: Realm) -> str:
    """Make a key that is preferred to all others."""
    found = realm.admin("GET", "/components?type=org.keycloak.keys.KeyProvider")
    highest = max(int(one["config"]["priority"][0]) for one in found if "priority" in one["config"])
    config = {"priority": [str(highest + 1)], "enabled": ["true"], "active": ["true"], "algorithm": ["RS256"]}
    made = {"name": "rotated", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider"}
    return str(realm.admin("POST", "/components", {**made, "config": config}))


@contextmanager
def disabled(realm: Realm, key: str) -> Generator[None]:
    component = realm.admin("GET", f"/components/{key}")
    config = {**component["config"], "enabled": ["false"], "active": ["false"]}
    realm.admin("PUT", f"/components/{key}", {**component, "config": config})
    try:
        yield
    finally:
        realm.admin("DELETE", f"/components/{key}")


def signing_key(token: str) -> str:
    header: Mapping[str, str] = claims(f"_.{token.partition('.')[0]}")
    return header["kid"]


async def until(client: httpx.AsyncClient, wanted: int) -> float:
    """How many seconds it takes until this is the answer."""
    began = time.monotonic()
    async with asyncio.timeout(10 * INTERVAL):
        while (await client.get("/tenants")).status_code != wanted:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
    return time.monotonic() - began


async def test_keys_come_and_go(with_token: Signed, realm: Realm, email: str) -> None:
    realm.person(email, role=["viewer"])
    first = new_key(realm)
    before = realm.sign_in(email)["access_token"]
    old = with_token(before)
    answered = [(await old.get("/tenants")).status_code]
    await asyncio.sleep(INTERVAL)  # an unknown key is looked for once in that time: the first one was
    second = new_key(realm)
    try:
        after = realm.sign_in(email)["access_token"]
        new = with_token(after)
        answered += [(await client.get("/tenants")).status_code for client in (new, old, new)]
        with disabled(realm, first):
            gone_after = await until(old, 401)
            answered.append((await new.get("/tenants")).status_code)
    finally:
        realm.admin("DELETE", f"/components/{second}")

    assert signing_key(before) != signing_key(after)
    assert answered == [200, 200, 200, 200, 200]
    assert gone_after < 3 * INTERVAL
