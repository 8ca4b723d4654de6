"""Ids of rows: UUIDv7, so that new rows stand together in an index. They are made here, never taken from a caller."""

import secrets
import time
from uuid import UUID

VERSION, VARIANT = 7 << 76, 0b10 << 62


def uuid7() -> UUID:
    """A UUID of RFC 9562, 5.7; ids of one process sort by time, to about 250 ns (method 3 of section 6.2)."""
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = rest * 4096 // 1_000_000
    return UUID(int=(milliseconds & (1 << 48) - 1) << 80 | VERSION | fraction << 64 | VARIANT | secrets.randbits(62))
