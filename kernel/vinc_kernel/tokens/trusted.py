"""The issuers that are trusted here: those that the settings list, and those that plugins name while they run."""

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
SETTINGS = ""  # the owner of those that the settings list: no plugin has this name


def listed(one: ListedIssuer, audience: str) -> Issuer:
    """An issuer of the settings; `audience` is for one that has none of its own."""
    return Issuer(
        url=one.issuer,
        audience=one.audience or audience,
        algorithms=tuple(one.algorithms),
        clients=frozenset(one.clients),
        jwks_url=one.jwks_url or "",
    )


class Trusted:
    """Keys by issuer; made by the kernel, never global."""

    def __init__(self, settings: JwtSettings) -> None:
        self.settings = settings
        self.fetcher = Fetcher()
        self.keys: dict[str, Keys] = {}
        self.owners: dict[str, str] = {}
        for one in settings.issuers:
            self.add(listed(one, settings.audience), SETTINGS)
        if settings.test_secret is not None:
            issuer = issuer_of_tests(settings.test_secret.get_secret_value(), settings.audience)
            self.owners[issuer.url] = SETTINGS
            self.keys[issuer.url] = self.made(issuer)

    def find(self, url: str) -> Keys | None:
        """The keys of the issuer that is called so, to the letter; None for one that is not trusted."""
        return self.keys.get(url)

    def add(self, issuer: Issuer, owner: str) -> None:
        """Believe this issuer from now on; of one that the settings list, only keys and sign-in are the plugin's.

        Raises ValueError for an algorithm that nobody may use, or whose key would be a shared secret.
        """
        if unknown := set(issuer.algorithms) - TYPES.keys():
            message = f"{min(unknown)} is no algorithm for the tokens of {issuer.url}: choose of {', '.join(TYPES)}"
            raise ValueError(message)
        if owner != SETTINGS and self.owners.get(issuer.url) == SETTINGS:
            known = self.keys[issuer.url].issuer
            self.keys[issuer.url] = self.made(replace(known, keys=issuer.keys, sign_in=issuer.sign_in))
            return
        self.owners[issuer.url] = owner
        self.keys[issuer.url] = self.made(issuer)

    def made(self, issuer: Issuer) -> Keys:
        return Keys(issuer, issuer.keys or partial(self.fetcher.keys, issuer), self.settings.refresh_interval)

    def forget(self, owner: str) -> None:
        """Believe those no more that a plugin has named."""
        for url in [url for url, one in self.owners.items() if one == owner]:
            self.keys.pop(url).withdraw()
            del self.owners[url]

    @property
    def issuers(self) -> list[Issuer]:
        """All that are trusted."""
        return [keys.issuer for keys in self.keys.values()]

    async def keep_fresh(self) -> None:
        """Fetch all keys every interval, and soon again those that could not be fetched."""
        interval = self.settings.refresh_interval
        while True:
            await asyncio.gather(*(keys.refresh() for keys in self.keys.values()))
            is_any_away = any(keys.is_away for keys in self.keys.values())
            await asyncio.sleep(min(interval, SECONDS_BETWEEN_TRIES) if is_any_away else interval)
