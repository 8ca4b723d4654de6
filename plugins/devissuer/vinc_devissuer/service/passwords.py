"""Hashes of passwords: argon2id, and the same work for somebody who has none."""

from __future__ import annotations

import asyncio
import secrets
from base64 import b64encode
from hashlib import sha256

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 256  # characters of a password that somebody chooses
AT_ONCE = 4  # each takes 64 MiB


def random_secret() -> str:
    """256 bits, as text."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """How a random secret, or the name of an account, is kept; a password needs argon2."""
    return sha256(secret.encode()).hexdigest()


class Passwords:
    """Makes and verifies hashes, in threads. `turn` bounds how many are at work, and so how many guesses at once."""

    def __init__(self, hasher: PasswordHasher) -> None:
        self.hasher = hasher
        self.turn = asyncio.Semaphore(AT_ONCE)

    async def hash(self, password: str) -> str:
        """The hash to keep."""
        async with self.turn:
            return await asyncio.to_thread(self.hasher.hash, password)

    async def matches(self, hashed: str | None, password: str) -> bool:
        """Whether it is the password; exactly one verification, also where there is no hash. To be called in `turn`."""
        is_right = await asyncio.to_thread(self.verify, hashed or decoy(self.hasher), password)
        return is_right and hashed is not None

    def verify(self, hashed: str, password: str) -> bool:
        try:
            return self.hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False


def decoy(hasher: PasswordHasher) -> str:
    """What looks like a hash, takes as long to verify, and is that of no password that anybody knows."""
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    salt, tag = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, hasher.hash_len))
    return f"$argon2id$v=19${cost}${salt}${tag}"
