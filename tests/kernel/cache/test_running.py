"""What runs beside everything else ends with its block."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from vinc_kernel.cache.running import running


async def test_a_cancellation_that_got_lost_is_sent_again() -> None:
    ended = asyncio.Event()

    async def lose_one() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async with asyncio.timeout(2):
        async with running(lose_one(), "loses-one"):
            await asyncio.sleep(0)

    assert ended.is_set()
