"""The RSA keys that sign tokens: created when there is none, and rotated so that every token can be verified."""

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
from ..schemas import KeyState, StoredKey

ALGORITHM = "RS256"
BITS = 2048
PUBLIC_PARTS = ("kty", "n", "e")  # RFC 7518, 6.3.1
LEEWAY = timedelta(seconds=30)  # of verifiers, beyond `exp`


class SigningKeys:
    """The keys of an installation. They are read from the table each time: another process may have rotated them."""

    def __init__(self, app: App, token_life: timedelta) -> None:
        self.app, self.token_life = app, token_life
        self.parsed: dict[str, RSAKey] = {}

    async def public_key_set(self) -> Mapping[str, Any]:
        """Return the JWK set (RFC 7517, 5) that verifies tokens, without private parts."""
        async with self.app.session() as db:
            keys = await repository.list_stored_keys(db)
        return {"keys": [to_public_jwk(one) for one in keys]}

    async def ensure(self) -> None:
        """Create the first key, if there is none."""
        if not await self.list_keys():
            await self.create_first()

    async def sign(self, claims: Mapping[str, Any]) -> str:
        kid = choose_signing_key(await self.list_keys() or await self.create_first())
        key = self.parsed.get(kid) or await self.load(kid)
        header = {"typ": "JWT", "alg": ALGORITHM, "kid": kid}
        return jwt.encode(header, dict(claims), key, algorithms=[ALGORITHM])

    async def rotate(self, *, now: bool = False) -> tuple[str, int]:
        """Add a key, and delete those that are not needed any more, or `now` all others.

        Returns the new key's id, and how many were deleted. The new key signs after a minute, unless it is the only
        one: verifiers that do not know it yet would refuse its tokens.
        """
        key = await asyncio.to_thread(generate_key)
        async with self.app.session() as db:
            await repository.lock_keys(db)
            time = self.app.now()
            await repository.add_key(db, key, time)
            if now:
                return key.kid, await repository.drop_other_keys(db, key.kid)
            return key.kid, await repository.drop_old_keys(db, time, self.token_life + LEEWAY)

    async def list_keys(self) -> list[KeyState]:
        async with self.app.session() as db:
            return await repository.list_keys(db, self.app.now())

    async def create_first(self) -> list[KeyState]:
        """Return all keys, after creating one if there is none; of several workers one creates it."""
        key = await asyncio.to_thread(generate_key)
        async with self.app.session() as db:
            await repository.lock_keys(db)
            now = self.app.now()
            if not await repository.list_keys(db, now):
                await repository.add_key(db, key, now)
            return await repository.list_keys(db, now)

    async def load(self, kid: str) -> RSAKey:
        async with self.app.session() as db:
            stored = await repository.get_key(db, kid)
        if stored is None:
            raise Refused("the signing key was deleted at this moment: try again")
        key = await asyncio.to_thread(RSAKey.import_key, json.loads(stored.private_jwk))  # its check takes 40 ms
        self.parsed = {kid: key}
        return key


def choose_signing_key(keys: Sequence[KeyState]) -> str:
    """Return the id of the newest key that all verifiers know, else of the oldest key."""
    return next((one.kid for one in reversed(keys) if one.signs), keys[0].kid)


def generate_key() -> StoredKey:
    key = RSAKey.generate_key(BITS)
    return StoredKey(kid=key.thumbprint(), private_jwk=json.dumps(key.as_dict(private=True)))  # RFC 7638


def to_public_jwk(stored: StoredKey) -> dict[str, Any]:
    jwk = json.loads(stored.private_jwk)
    return {**{name: jwk[name] for name in PUBLIC_PARTS}, "kid": stored.kid, "use": "sig", "alg": ALGORITHM}
