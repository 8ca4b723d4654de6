"""The trusted issuers: those of the settings, and those that plugins add while they are open."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from joserfc.jwk import OctKey

from ..settings import JwtSettings
from .fetch import Fetcher
from .issuer import KEY_TYPES, SHARED, Issuer
from .keys import Keys

SECONDS_BETWEEN_TRIES = 1.0
SETTINGS = ""  # the owner of the issuers in the settings: no plugin has this name
TEST_URL, TEST_KID = "urn:vinc:test", "test"


def issuer_of_tests(secret: str, audience: str) -> Issuer:
    """The issuer of tests: its tokens are signed with VINC_JWT_TEST_SECRET; production has none."""
    key = OctKey.import_key(secret).as_dict() | {"kid": TEST_KID}

    async def keys() -> Mapping[str, Any]:
        return {"keys": [key]}

    return Issuer(url=TEST_URL, audience=audience, algorithms=(SHARED,), keys=keys)


class Trusted:
    """Keys by issuer."""

    def __init__(self, settings: JwtSettings) -> None:
        self.settings = settings
        self.fetcher = Fetcher()
        self.keys: dict[str, Keys] = {}
        self.owners: dict[str, str] = {}
        for one in settings.issuers:
            issuer = Issuer(
                url=one.issuer,
                audience=one.audience or settings.audience,
                algorithms=tuple(one.algorithms),
                clients=frozenset(one.clients),
                jwks_url=one.jwks_url or "",
            )
            self.add(issuer, SETTINGS)
        if settings.test_secret is not None:
            self.store(issuer_of_tests(settings.test_secret.get_secret_value(), settings.audience), SETTINGS)

    def add(self, issuer: Issuer, owner: str) -> None:
        """Trust this issuer; where the settings list it too, a plugin adds only keys and sign-in.

        Raises ValueError for an algorithm that is not allowed, as one whose key is a shared secret.
        """
        if unknown := set(issuer.algorithms) - KEY_TYPES.keys():
            message = f"{min(unknown)} is no algorithm for the tokens of {issuer.url}: choose of {', '.join(KEY_TYPES)}"
            raise ValueError(message)
        if owner != SETTINGS and self.owners.get(issuer.url) == SETTINGS:
            issuer = replace(self.keys[issuer.url].issuer, keys=issuer.keys, sign_in=issuer.sign_in)
            owner = SETTINGS
        self.store(issuer, owner)

    def store(self, issuer: Issuer, owner: str) -> None:
        fetch = issuer.keys or partial(self.fetcher.keys, issuer)
        self.owners[issuer.url], self.keys[issuer.url] = owner, Keys(issuer, fetch, self.settings.refresh_interval)

    def forget(self, owner: str) -> None:
        """Drop the issuers that a plugin added."""
        for url in [url for url, one in self.owners.items() if one == owner]:
            self.keys.pop(url).withdraw()
            del self.owners[url]

    @property
    def issuers(self) -> list[Issuer]:
        return [keys.issuer for keys in self.keys.values()]

    async def keep_fresh(self) -> None:
        """Fetch all keys every interval, and again after a second where that fails."""
        interval = self.settings.refresh_interval
        while True:
            await asyncio.gather(*(keys.refresh() for keys in self.keys.values()))
            is_any_away = any(keys.is_away for keys in self.keys.values())
            await asyncio.sleep(min(interval, SECONDS_BETWEEN_TRIES) if is_any_away else interval)
