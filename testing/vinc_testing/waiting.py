"""Wait for what another worker does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic


async def eventually(check: Callable[[], Awaitable[bool]], *, seconds: float = 1) -> float:
    """Call `check` until it returns True, and return after how many seconds; raises TimeoutError after `seconds`.

    The default is the longest time for which a worker may use an outdated value.
    """
    start = monotonic()
    async with asyncio.timeout(seconds):
        while not await check():  # noqa: ASYNC110  the other worker sets no event here
            await asyncio.sleep(0.01)
    return monotonic() - start
