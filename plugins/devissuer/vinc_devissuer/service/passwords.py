"""Password hashes by argon2id, with the same cost for an account without a password."""

from __future__ import annotations

import asyncio
import secrets
from base64 import b64encode
from hashlib import sha256

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH, MAX_LENGTH = 12, 256  # of a password
MAX_CONCURRENT = 4  # each takes 64 MiB


def random_secret() -> str:
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """Return the hash of a random secret or of an account's name; a password needs argon2."""
    return sha256(secret.encode()).hexdigest()


class Passwords:
    """Creates and verifies hashes in threads. `turn` limits how many run at the same time."""

    def __init__(self, hasher: PasswordHasher) -> None:
        self.hasher = hasher
        self.turn = asyncio.Semaphore(MAX_CONCURRENT)

    async def hash(self, password: str) -> str:
        async with self.turn:
            return await asyncio.to_thread(self.hasher.hash, password)

    async def matches(self, hashed: str | None, password: str) -> bool:
        """Return whether the password is right, with one verification in any case; call it in `turn`."""
        is_right = await asyncio.to_thread(self.verify, hashed or make_decoy_hash(self.hasher), password)
        return is_right and hashed is not None

    def verify(self, hashed: str, password: str) -> bool:
        try:
            return self.hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False


def make_decoy_hash(hasher: PasswordHasher) -> str:
    """Return a hash of no password, which takes as long to verify as a real one."""
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    salt, tag = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, hasher.hash_len))
    return f"$argon2id$v=19${cost}${salt}${tag}"
