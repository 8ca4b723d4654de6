"""Do something again and again beside the requests, until a block ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import Context

from vinc_kernel import App, logger

SECONDS_BETWEEN_CANCELS = 0.1
Work = Callable[[App], Awaitable[None]]


@asynccontextmanager
async def every(seconds: float, work: Work, app: App, *, what: str) -> AsyncGenerator[None]:
    """Run it each so many seconds, in a task that knows of no request (threats I22)."""

    async def repeat() -> None:
        while True:
            await asyncio.sleep(seconds)
            await attempt(work, app, what=what)

    task = asyncio.create_task(repeat(), name=f"identity: {what}", context=Context())
    try:
        yield
    finally:
        while not task.done():  # libraries lose a cancellation that comes together with what they wait for
            task.cancel()
            await asyncio.wait([task], timeout=SECONDS_BETWEEN_CANCELS)


async def attempt(work: Work, app: App, *, what: str) -> None:
    """Run it once; a failure is logged, and whatever is left undone is tried the next time."""
    try:
        await work(app)
    except Exception:  # noqa: BLE001  whatever it is, the next time must come
        logger.exception("%s failed, and is tried again", what)
