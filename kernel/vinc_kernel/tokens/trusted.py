"""The trusted issuers: those of the settings, and those that plugins add while they are open."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from ..setting_types import ListedIssuer
from ..settings import JwtSettings
from .algorithms import TYPES
from .fetch import Fetcher
from .for_tests import issuer_of_tests
from .issuer import Issuer
from .keys import Keys

SECONDS_BETWEEN_TRIES = 1.0
SETTINGS = ""  # the owner of the issuers in the settings: no plugin has this name


def to_issuer(one: ListedIssuer, audience: str) -> Issuer:
    return Issuer(
        url=one.issuer,
        audience=one.audience or audience,
        algorithms=tuple(one.algorithms),
        clients=frozenset(one.clients),
        jwks_url=one.jwks_url or "",
    )


class Trusted:
    """Keys by issuer."""

    def __init__(self, settings: JwtSettings) -> None:
        self.settings = settings
        self.fetcher = Fetcher()
        self.keys: dict[str, Keys] = {}
        self.owners: dict[str, str] = {}
        for one in settings.issuers:
            self.add(to_issuer(one, settings.audience), SETTINGS)
        if settings.test_secret is not None:
            self.store(issuer_of_tests(settings.test_secret.get_secret_value(), settings.audience), SETTINGS)

    def find(self, url: str) -> Keys | None:
        """Return the keys of the issuer with exactly this `iss`; None for one that is not trusted."""
        return self.keys.get(url)

    def add(self, issuer: Issuer, owner: str) -> None:
        """Trust this issuer; where the settings list it too, a plugin adds only keys and sign-in.

        Raises ValueError for an algorithm that is not allowed, as one whose key is a shared secret.
        """
        if unknown := set(issuer.algorithms) - TYPES.keys():
            message = f"{min(unknown)} is no algorithm for the tokens of {issuer.url}: choose of {', '.join(TYPES)}"
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
