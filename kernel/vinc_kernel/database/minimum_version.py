"""The oldest PostgreSQL that Vinc works with, and of each major version the oldest without known holes."""

from __future__ import annotations

OLDEST = 160_000  # `grant ... with inherit false` is new in PostgreSQL 16
# Below these, statistics and inlining show rows past row level security, and users run code: CVE-2025-8713,
# CVE-2026-2006. Newer major versions have never had these.
MINIMUM_VERSIONS = {16: 160_012, 17: 170_008, 18: 180_002}


def below_minimum(version: int) -> str:
    """What is wrong with a server of this `server_version_num`, and what to do; empty for a good one."""
    minimum = MINIMUM_VERSIONS.get(version // 10_000, OLDEST)
    if version >= minimum:
        return ""
    return f"PostgreSQL {dotted(version)} has known holes in row level security; bring it to {dotted(minimum)} or newer"


def dotted(version: int) -> str:
    return f"{version // 10_000}.{version % 10_000}"
