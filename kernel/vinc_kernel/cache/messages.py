"""What workers tell each other: which topics have a new version, and which of their keys changed."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

BYTES = 8


@dataclass(frozen=True, slots=True)
class Change:
    """The new version of a topic; `key_hashes` None: any of its keys may have changed."""

    topic: str
    version: int
    key_hashes: frozenset[str] | None


message = TypeAdapter(list[Change])
"""A message is a list of changes in JSON."""


def hash_key(key: object) -> str:
    """Return the key as messages carry it, never in clear; raises TypeError for a key that has no stable form."""
    return blake2b(serialize(key).encode("utf-8", "surrogatepass"), digest_size=BYTES).hexdigest()


def serialize(key: Any) -> str:
    """Return the same text in every worker, and another one for every other key."""
    if isinstance(key, UUID):
        return f"u{key.hex}"
    if isinstance(key, str):
        return f"s{len(key)}:{key}"
    if isinstance(key, int):
        return f"i{int(key)}"
    if isinstance(key, tuple):
        return f"({','.join(map(serialize, key))})"
    raise TypeError(f"a key of a cache is a str, an int, a UUID, or a tuple of these, not {type(key).__name__}")
