"""Run something in the background, again and again, until a block ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import Context

logger = logging.getLogger("vinc.background")
SECONDS_BETWEEN_CANCELS = 0.1
Work = Callable[[], Awaitable[None]]


@asynccontextmanager
async def run_in_background(work: Work, *, every: float, name: str) -> AsyncGenerator[None]:
    """Call `work` now and `every` seconds after each of its ends; what it raises is logged, and the next call comes.

    It runs in one task with an empty context, so that it knows of no request. The end of the block cancels the task
    and waits for it.
    """
    task = asyncio.create_task(repeat(work, every, name), name=name, context=Context())
    try:
        yield
    finally:
        while not task.done():  # a library may swallow a cancellation, as redis-py 8.1 does
            task.cancel()
            await asyncio.wait([task], timeout=SECONDS_BETWEEN_CANCELS)


async def repeat(work: Work, every: float, name: str) -> None:
    while True:
        try:
            await work()
        except Exception:
            logger.exception("%s failed; it runs again in %g s", name, every)
        await asyncio.sleep(every)
