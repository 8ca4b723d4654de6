"""Somebody comes in for the first time, with several requests at once."""

import asyncio
from typing import Any

import pytest

from vinc_identity import repository

from .conftest import SignIn


async def test_a_stale_lookup_does_not_refuse_a_newcomer(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second request looks before the first has stored them, and hears the answer after that."""
    looked, storing = asyncio.Event(), asyncio.Event()
    find, add = repository.find, repository.add

    async def slow_find(*args: Any) -> Any:
        principal = await find(*args)
        if storing.is_set() and not looked.is_set():
            looked.set()
            await asyncio.sleep(0.1)
        return principal

    async def late_add(*args: Any) -> None:
        storing.set()
        await looked.wait()
        await add(*args)

    monkeypatch.setattr(repository, "find", slow_find)
    monkeypatch.setattr(repository, "add", late_add)
    newcomer = sign_in("newcomer")
    first = asyncio.create_task(newcomer.me())
    await storing.wait()
    answers = [await newcomer.me(), await first]

    assert [one.status_code for one in answers] == [200, 200]
    assert answers[0].json()["id"] == answers[1].json()["id"]
