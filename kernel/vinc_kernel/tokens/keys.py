"""The keys of one issuer: kept, and fetched anew all the time, so that nobody waits when they change.

A key that is known stays so while the issuer is away. One that has left the issuer's set is forgotten, and with it
everything that was verified by it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key
from joserfc.jws import JWSRegistry

from ..errors import Unavailable
from .algorithms import allowed
from .issuer import Fetch, Issuer

logger = logging.getLogger("vinc.tokens")
SECONDS_TO_FETCH = 3.0
SHORTEST_MODULUS = 342  # characters of base64url: 2,048 bits (RFC 7518, 3.3)
MOST_KEYS = 100
RETRY_AFTER = "1"  # seconds: an issuer that is away is asked again by then


class NoKeySet(Exception):
    """What the issuer says is no JWK set."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A key, and the algorithms that it may be used with. Two are the same when their thumbprints are (RFC 7638)."""

    key: Key = field(compare=False)
    algorithms: frozenset[str]
    thumbprint: str
    registry: JWSRegistry = field(compare=False)  # joserfc's list of the same algorithms


class Keys:
    """One issuer's keys by their id (`kid`).

    `edition` is another number once a key is gone: what was verified before must be verified anew.
    """

    def __init__(self, issuer: Issuer, fetch: Fetch, interval: float) -> None:
        self.issuer, self.fetch, self.interval = issuer, fetch, interval
        self.known: Mapping[str, VerifyingKey] = {}
        self.edition = 0
        self.is_away = False
        self.looking: asyncio.Task[None] | None = None
        self.next_look = float("-inf")
        self.begun = self.taken = 0  # fetches are counted: answers may overtake each other

    async def find(self, kid: str) -> VerifyingKey | None:
        """The key with this id; None when the issuer has none. Raises Unavailable where the issuer cannot be asked."""
        if kid not in self.known:
            await self.look()
        found = self.known.get(kid)
        if found is None and self.is_away:
            message = "Whoever has signed these credentials cannot be asked for their keys just now."
            raise Unavailable(message, headers={"Retry-After": RETRY_AFTER})
        return found

    async def look(self) -> None:
        """Fetch them for somebody who misses one: once an interval, however many do."""
        if self.looking is None and monotonic() >= self.next_look:
            self.next_look = monotonic() + self.interval
            self.looking = asyncio.create_task(self.refresh())
            self.looking.add_done_callback(self.looked)
        if self.looking is not None:
            await asyncio.shield(self.looking)

    def looked(self, _: asyncio.Task[None]) -> None:
        self.looking = None

    async def refresh(self) -> None:
        """Fetch them; when that fails, those that are known stay."""
        self.begun = number = self.begun + 1
        try:
            async with asyncio.timeout(SECONDS_TO_FETCH):
                found = verifying_keys(self.issuer, await self.fetch())
        except (Exception, asyncio.CancelledError) as error:  # a plugin's own fetch may raise anything
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # and this is what ends us
                raise
            self.tell_away(error)
            return
        if number < self.taken:  # one that began later has answered already, and knows better
            return
        self.taken = number
        if any(found.get(kid) != key for kid, key in self.known.items()):
            self.edition += 1
        self.known = found
        if self.is_away:
            logger.warning("the keys of the issuer %s can be fetched again", self.issuer.url)
        self.is_away = False

    def tell_away(self, error: BaseException) -> None:
        if not self.is_away:
            logger.warning(
                "the keys of the issuer %s cannot be fetched (%s): those that are known are believed on",
                self.issuer.url,
                type(error).__name__,
            )
        self.is_away = True

    def withdraw(self) -> None:
        """Believe none of them any more."""
        self.known, self.edition = {}, self.edition + 1


def verifying_keys(issuer: Issuer, given: Mapping[str, Any]) -> dict[str, VerifyingKey]:
    """The keys of a JWK set that may verify this issuer's tokens; the others are passed over (RFC 7517, 5).

    Raises NoKeySet for what is none: an issuer that answers with an error has withdrawn nothing.
    """
    listed = given.get("keys")
    if not isinstance(listed, list):
        raise NoKeySet("the document has no list of keys")
    found: dict[str, VerifyingKey] = {}
    for one in listed[:MOST_KEYS]:
        key = verifying_key(issuer, one)
        if key is not None:
            found[str(one["kid"])] = key
    return found


def verifying_key(issuer: Issuer, given: Any) -> VerifyingKey | None:
    if not isinstance(given, dict) or not isinstance(given.get("kid"), str):
        return None
    operations = given.get("key_ops", ["verify"])
    if given.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    algorithms = allowed(issuer.algorithms, str(given.get("kty")), given.get("alg"))
    if not algorithms or (given["kty"] == "RSA" and len(str(given.get("n"))) < SHORTEST_MODULUS):
        return None
    try:
        key = import_key({name: value for name, value in given.items() if name not in {"use", "key_ops", "alg"}})
        thumbprint = key.thumbprint()
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        logger.warning("a key of the issuer %s cannot be read and is passed over", issuer.url)
        return None
    return VerifyingKey(key, algorithms, thumbprint, JWSRegistry(algorithms=algorithms))
