"""Poll the versions in PostgreSQL twice a second, on a connection outside the pool.

A full pool must not make a worker use what is old.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import psycopg

from ..background import run_in_background
from ..database.unpooled_connection import UnpooledConnection
from .registry import CacheRegistry

logger = logging.getLogger("vinc.cache")
SECONDS_BETWEEN_POLLS = 0.5
SECONDS_TO_ANSWER = 1.0
VERSIONS = b"select topic, number from public.vinc_change"


@asynccontextmanager
async def poll_versions(registry: CacheRegistry, parameters: Mapping[str, Any]) -> AsyncGenerator[None]:
    """Poll until the block ends; `parameters` are libpq's. The first poll is over when the block begins."""
    poll = Poll(registry, {**parameters, "application_name": "vinc-changes"})
    try:
        await poll.run()
        async with run_in_background(poll.run, every=SECONDS_BETWEEN_POLLS, name="vinc-changes"):
            yield
    finally:
        poll.connection.close()


class Poll:
    """One worker's poll. It recovers by itself, whatever happens to its connection."""

    def __init__(self, registry: CacheRegistry, parameters: Mapping[str, Any]) -> None:
        self.registry = registry
        self.connection = UnpooledConnection(parameters, SECONDS_TO_ANSWER)
        self.has_failed = False

    async def run(self) -> None:
        """Read all versions once; a failure is logged when it is the first."""
        began, before = monotonic(), dict(self.registry.versions)
        try:
            rows = await self.connection.fetch_all(VERSIONS)
        except (psycopg.Error, OSError) as error:  # TimeoutError is an OSError
            if not self.has_failed:
                reason = getattr(error, "sqlstate", None) or type(error).__name__
                logger.warning("vinc_change cannot be read (%s): nothing cached is used until it can", reason)
            self.has_failed = True
            return
        self.registry.update(dict(rows), before=before, read_at=began)
        if self.has_failed:
            logger.warning("vinc_change can be read again")
        self.has_failed = False
