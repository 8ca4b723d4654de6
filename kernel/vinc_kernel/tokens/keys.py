"""The keys of one issuer: cached, and fetched regularly in the background, so that no request waits for a change.

Known keys stay while the issuer cannot be reached. A key that left the issuer's set is dropped, and every token that
it verified must be verified again.
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
from .fetch import FetchFailed
from .issuer import KEY_TYPES, SHARED, Fetch, Issuer

logger = logging.getLogger("vinc.tokens")
SECONDS_TO_FETCH = 3.0
SHORTEST_MODULUS = 342  # characters of base64url: 2,048 bits (RFC 7518, 3.3)
MOST_KEYS = 100
RETRY_AFTER = "1"  # seconds: by then the keys were fetched again


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A key, and the algorithms that it may be used with; equal when the thumbprints are (RFC 7638)."""

    key: Key = field(compare=False)
    algorithms: frozenset[str]
    thumbprint: str
    registry: JWSRegistry = field(compare=False)  # joserfc's list of the same algorithms


class Keys:
    """One issuer's keys by their id (`kid`); `edition` grows when a key is dropped."""

    def __init__(self, issuer: Issuer, fetch: Fetch, interval: float) -> None:
        self.issuer, self.fetch, self.interval = issuer, fetch, interval
        self.known: Mapping[str, VerifyingKey] = {}
        self.edition = 0
        self.is_away = False
        self.fetching: asyncio.Task[None] | None = None
        self.next_fetch = float("-inf")
        self.last_begun = self.last_applied = 0  # fetches are numbered: responses may overtake each other

    async def find(self, kid: str) -> VerifyingKey | None:
        """Return the key with this id, or None; raises Unavailable while the issuer cannot be reached."""
        if kid not in self.known:
            await self.refresh_once()
        key = self.known.get(kid)
        if key is None and self.is_away:
            message = "The issuer of these credentials cannot be reached for its keys."
            raise Unavailable(message, headers={"Retry-After": RETRY_AFTER})
        return key

    async def refresh_once(self) -> None:
        """Fetch the keys at most once an interval, and once for all requests that wait."""
        if self.fetching is None or self.fetching.done():
            if monotonic() < self.next_fetch:
                return
            self.next_fetch = monotonic() + self.interval
            self.fetching = asyncio.create_task(self.refresh())
        await asyncio.shield(self.fetching)

    async def refresh(self) -> None:
        """Fetch the keys; the known ones stay when that fails."""
        self.last_begun = number = self.last_begun + 1
        try:
            async with asyncio.timeout(SECONDS_TO_FETCH):
                keys = verifying_keys(self.issuer, await self.fetch())
        except (Exception, asyncio.CancelledError) as error:  # a plugin's own fetch may raise anything
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # this task itself is cancelled
                raise
            self.log_away(error)
            return
        if number < self.last_applied:  # a later fetch has ended first
            return
        self.last_applied = number
        if any(keys.get(kid) != key for kid, key in self.known.items()):
            self.edition += 1
        self.known = keys
        if self.is_away:
            logger.warning("the keys of the issuer %s can be fetched again", self.issuer.url)
        self.is_away = False

    def log_away(self, error: BaseException) -> None:
        if not self.is_away:
            text = "the keys of the issuer %s cannot be fetched (%s): the known ones stay valid"
            logger.warning(text, self.issuer.url, type(error).__name__)
        self.is_away = True

    def withdraw(self) -> None:
        """Drop all keys."""
        self.known, self.edition = {}, self.edition + 1


def verifying_keys(issuer: Issuer, document: Mapping[str, Any]) -> dict[str, VerifyingKey]:
    """Return the keys of a JWK set that may verify this issuer's tokens, and skip the others (RFC 7517, 5).

    Raises FetchFailed for another document: an issuer that answers with an error has dropped no key.
    """
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise FetchFailed("the document has no list of keys")
    keys = ((one, verifying_key(issuer, one)) for one in listed[:MOST_KEYS])
    return {str(one["kid"]): key for one, key in keys if key is not None}


def verifying_key(issuer: Issuer, jwk: Any) -> VerifyingKey | None:
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str):
        return None
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    key_types, alg = KEY_TYPES | {SHARED: "oct"}, jwk.get("alg")  # `alg` may allow only one (RFC 7517, 4.4)
    algorithms = frozenset(one for one in issuer.algorithms if key_types[one] == jwk.get("kty") and alg in (None, one))
    if not algorithms or (jwk["kty"] == "RSA" and len(str(jwk.get("n"))) < SHORTEST_MODULUS):
        return None
    try:
        key = import_key({name: value for name, value in jwk.items() if name not in {"use", "key_ops", "alg"}})
        thumbprint = key.thumbprint()
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        logger.warning("a key of the issuer %s cannot be read and is skipped", issuer.url)
        return None
    return VerifyingKey(key, algorithms, thumbprint, JWSRegistry(algorithms=algorithms))
