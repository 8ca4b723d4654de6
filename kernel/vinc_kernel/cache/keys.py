"""How messages name a cache's keys: by a hash that is the same in every worker, and not by the key (threats I16)."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any
from uuid import UUID

BYTES = 8


def mark(key: object) -> str:
    """The key as messages carry it; raises TypeError for a key that other workers would write differently."""
    return blake2b(written(key).encode("utf-8", "surrogatepass"), digest_size=BYTES).hexdigest()


def written(key: Any) -> str:
    if isinstance(key, UUID):
        return f"u{key.hex}"
    if isinstance(key, str):
        return f"s{len(key)}:{key}"
    if isinstance(key, int):
        return f"i{int(key)}"
    if isinstance(key, tuple):
        return f"({','.join(map(written, key))})"
    message = f"a key of a cache is a str, an int, a UUID, or a tuple of these, not {type(key).__name__}"
    raise TypeError(message)
