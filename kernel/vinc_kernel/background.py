"""Run something in the background, again and again, until it is stopped."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import Context

logger = logging.getLogger("vinc.background")
SECONDS_BETWEEN_CANCELS = 0.1
Work = Callable[[], Awaitable[object]]
Task = asyncio.Task[None]


@asynccontextmanager
async def run_in_background(work: Work, *, every: float, name: str) -> AsyncGenerator[None]:
    """Repeat `work` until the end of the block."""
    task = start(work, every=every, name=name)
    try:
        yield
    finally:
        await stop(task)


def start(work: Work, *, every: float, name: str) -> Task:
    """Call `work` now and `every` seconds after each of its ends; what it raises is logged, and the next call comes.

    It runs in one task with an empty context, so that it knows of no request. Raises TypeError for what is no function.
    """
    if not callable(work):
        if inspect.iscoroutine(work):
            work.close()
        raise TypeError(f"{name} is called again and again: give the function, not {type(work).__name__}")
    return asyncio.create_task(repeat(work, every, name), name=name, context=Context())


async def stop(task: Task) -> None:
    """Cancel the task, and wait until it has ended."""
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
