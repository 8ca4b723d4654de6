"""Run something beside everything else, until a block ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Any

logger = logging.getLogger("vinc.changes")
SECONDS_BETWEEN_CANCELS = 0.1


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None], name: str) -> AsyncGenerator[None]:
    """Run it in a task that knows of no request (threats I22), and end it with the block."""
    task = asyncio.create_task(work, name=name, context=Context())
    try:
        yield
    finally:
        while not task.done():  # libraries lose one that comes together with what they wait for, as redis-py 8.1 does
            task.cancel()
            await asyncio.wait([task], timeout=SECONDS_BETWEEN_CANCELS)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s had ended before", name, exc_info=error)
