"""What runs in the background goes on whatever fails, knows of no request, and ends with its block."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import ContextVar

import pytest

from vinc_kernel.background import run_in_background

request: ContextVar[str] = ContextVar("request", default="none")


async def test_it_runs_again_after_a_failure_which_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []
    done = asyncio.Event()

    async def work() -> None:
        calls.append(request.get())
        if len(calls) == 1:
            raise ValueError("no")
        done.set()

    request.set("somebody's")
    async with asyncio.timeout(2), run_in_background(work, every=0.01, name="demo"):
        await done.wait()

    assert set(calls) == {"none"}
    assert [(one.name, one.getMessage()) for one in caplog.records] == [
        ("vinc.background", "demo failed; it runs again in 0.01 s")
    ]


async def test_a_coroutine_in_the_place_of_its_function_is_refused_at_once() -> None:
    async def work() -> None: ...

    with pytest.raises(TypeError, match="demo is called again and again: give the function, not coroutine"):
        async with run_in_background(work(), every=1, name="demo"):  # type: ignore[arg-type]  # the mistake
            pass


async def test_a_cancellation_that_is_swallowed_is_sent_again() -> None:
    ended = asyncio.Event()

    async def swallow_one() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async with asyncio.timeout(2):
        async with run_in_background(swallow_one, every=1, name="swallows-one"):
            await asyncio.sleep(0)

    assert ended.is_set()
