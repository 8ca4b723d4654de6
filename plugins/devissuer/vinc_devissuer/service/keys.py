"""The keys that sign tokens: RSA, made when there is none, and rotated without a token that somebody cannot verify."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from vinc_kernel import App

from .. import repository
from ..errors import Refused
from ..schemas import PublishedKey, StoredKey

ALGORITHM = "RS256"
BITS = 2048
PUBLIC = ("kty", "n", "e")  # RFC 7518, 6.3.1
LEEWAY = timedelta(seconds=30)  # that verifiers grant beyond `exp`


class SigningKeys:
    """The keys of an installation, from the table each time: another process may have rotated them."""

    def __init__(self, app: App, token_life: timedelta) -> None:
        self.app, self.token_life = app, token_life
        self.parsed: dict[str, RSAKey] = {}

    async def published(self) -> Mapping[str, Any]:
        """The JWK set (RFC 7517, 5) by which tokens are verified; without a private part."""
        async with self.app.session() as db:
            stored = await repository.stored_keys(db)
        return {"keys": [public(one) for one in stored]}

    async def ensure(self) -> None:
        """Make the first key, if there is none."""
        if not await self.listed():
            await self.make_first()

    async def sign(self, claims: Mapping[str, Any]) -> str:
        """A token with these claims."""
        kid = signing(await self.listed() or await self.make_first())
        key = self.parsed.get(kid) or await self.load(kid)
        header = {"typ": "JWT", "alg": ALGORITHM, "kid": kid}
        return jwt.encode(header, dict(claims), key, algorithms=[ALGORITHM])

    async def rotate(self, *, now: bool = False) -> tuple[str, int]:
        """Add a key, and drop those that are of no use any more, or `now` all others.

        Returns the new key's id, and how many were dropped. The new one signs when it has been told for a minute,
        unless it is the only one: a verifier that does not know it yet would refuse its tokens.
        """
        made = await asyncio.to_thread(new_key)
        async with self.app.session() as db:
            await repository.lock_keys(db)
            await repository.add_key(db, made)
            if now:
                return made.kid, await repository.drop_other_keys(db, made.kid)
            return made.kid, await repository.drop_old_keys(db, self.token_life + LEEWAY)

    async def listed(self) -> list[PublishedKey]:
        async with self.app.session() as db:
            return await repository.keys(db)

    async def make_first(self) -> list[PublishedKey]:
        """All keys, of which there is one at least: of several workers that find none, one makes it."""
        made = await asyncio.to_thread(new_key)
        async with self.app.session() as db:
            await repository.lock_keys(db)
            if not await repository.keys(db):
                await repository.add_key(db, made)
            return await repository.keys(db)

    async def load(self, kid: str) -> RSAKey:
        async with self.app.session() as db:
            stored = await repository.stored_key(db, kid)
        if stored is None:
            raise Refused("the key to sign with was taken away this moment: try again")
        key = await asyncio.to_thread(RSAKey.import_key, json.loads(stored.private_jwk))  # it is checked, for 40 ms
        self.parsed = {kid: key}
        return key


def signing(keys: Sequence[PublishedKey]) -> str:
    """The id of the key to sign with: the newest that everybody knows, or else the one that is known longest."""
    return next((one.kid for one in reversed(keys) if one.signs), keys[0].kid)


def new_key() -> StoredKey:
    key = RSAKey.generate_key(BITS)
    return StoredKey(kid=key.thumbprint(), private_jwk=json.dumps(key.as_dict(private=True)))  # RFC 7638


def public(stored: StoredKey) -> dict[str, Any]:
    jwk = json.loads(stored.private_jwk)
    return {**{name: jwk[name] for name in PUBLIC}, "kid": stored.kid, "use": "sig", "alg": ALGORITHM}
