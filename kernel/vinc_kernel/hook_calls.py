"""Run one plugin's implementation of a hook under a deadline."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

from .context import Context
from .errors import HookFailed, Problem

logger = logging.getLogger("vinc.plugins")


async def run_hook(plugin: str, hook: str, running: Awaitable[object], context: Context, seconds: float) -> None:
    """Await the hook; raises its Problem, or HookFailed for another error, a timeout or a failed transaction."""
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            await running
    except Problem as problem:
        logger.warning("the hook %s of the plugin %s refused: %s", hook, plugin, problem.type)
        raise
    except Exception as error:
        why = f"it takes longer than {seconds:g} s" if deadline.expired() else f"it raised {type(error).__name__}"
        raise HookFailed(plugin, hook, why) from error
    if context.unit is not None and context.unit.failed:
        raise HookFailed(plugin, hook, "it went on after an error of the database")
