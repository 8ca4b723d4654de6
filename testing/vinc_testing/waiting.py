"""Wait for what another worker does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic


async def eventually(check: Callable[[], Awaitable[bool]], *, seconds: float = 10) -> float:
    """Call `check` until it returns True, and return after how many seconds; raises TimeoutError after `seconds`.

    A worker knows of a change within a second; the default leaves a busy machine time to answer.
    """
    start = monotonic()
    async with asyncio.timeout(seconds):
        while not await check():  # noqa: ASYNC110  the other worker sets no event here
            await asyncio.sleep(0.01)
    return monotonic() - start
