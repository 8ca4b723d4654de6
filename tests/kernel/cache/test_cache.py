"""A cache in one worker: what it caches, for how long, and what it loads."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from vinc_kernel.cache.cache import Cache
from vinc_kernel.cache.messages import Change, hash_key
from vinc_kernel.cache.registry import CacheRegistry


class Store:
    """What is cached, and how often it was asked for; `gate` holds its answers back."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {"a": "1", "b": "2", "c": "3"}
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def load(self, key: str) -> str | None:
        self.asked.append(key)
        value = self.rows.get(key)
        await self.gate.wait()
        return value


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def registry() -> CacheRegistry:
    registry = CacheRegistry()
    registry.update({}, before={}, read_at=monotonic() + 3600)
    return registry


@pytest.fixture
def cached(registry: CacheRegistry, store: Store) -> Cache[str, str]:
    return registry.create("things.thing", store.load, 2)


async def test_none_is_not_cached(cached: Cache[str, str], store: Store) -> None:
    assert await cached.get("new") is None
    store.rows["new"] = "4"

    assert await cached.get("new") == "4"


async def test_the_least_recently_used_goes_first(cached: Cache[str, str], store: Store) -> None:
    for key in ("a", "b", "a", "c", "a", "b"):
        await cached.get(key)

    assert store.asked == ["a", "b", "c", "b"]
    assert len(cached.values) == len(cached.keys_by_hash) == 2


async def test_those_who_ask_at_once_share_one_load(cached: Cache[str, str], store: Store) -> None:
    assert await asyncio.gather(*(cached.get("a") for _ in range(10))) == ["1"] * 10
    assert store.asked == ["a"]


async def test_one_who_stops_waiting_leaves_the_load_to_the_others(cached: Cache[str, str], store: Store) -> None:
    store.gate.clear()
    first, second = (asyncio.create_task(cached.get("a")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    store.gate.set()

    assert await second == "1"
    assert store.asked == ["a"]


async def test_a_load_that_fails_fails_for_all_and_is_not_cached(cached: Cache[str, str], store: Store) -> None:
    async def fail(key: str) -> str | None:
        raise ConnectionError

    cached.load = fail
    failed = await asyncio.gather(*(cached.get("a") for _ in range(3)), return_exceptions=True)
    cached.load = store.load

    assert [type(one) for one in failed] == [ConnectionError] * 3
    assert await cached.get("a") == "1"


async def test_a_load_that_raced_with_a_change_puts_no_old_value_back(
    cached: Cache[str, str], registry: CacheRegistry, store: Store
) -> None:
    store.gate.clear()
    early = asyncio.create_task(cached.get("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    store.rows["a"] = "new"
    registry.apply(Change("things.thing", 1, frozenset([hash_key("a")])))
    late = asyncio.create_task(cached.get("a"))  # who asks after the change must not get what was before
    await asyncio.sleep(0)
    store.gate.set()

    assert (await early, await late, await cached.get("a")) == ("1", "new", "new")
    assert store.asked == ["a", "a"]


async def test_without_the_versions_nothing_cached_is_used(
    cached: Cache[str, str], registry: CacheRegistry, store: Store
) -> None:
    await cached.get("a")
    registry.read_at = monotonic() - 1.1
    store.rows["a"] = "new"

    assert await cached.get("a") == "new"


async def test_without_the_versions_nobody_joins_a_load_that_began_long_ago(
    cached: Cache[str, str], registry: CacheRegistry, store: Store
) -> None:
    registry.read_at = monotonic() - 1.1
    store.gate.clear()
    early = asyncio.create_task(cached.get("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    store.rows["a"] = "new"
    late = asyncio.create_task(cached.get("a"))
    await asyncio.sleep(0)
    store.gate.set()

    assert (await early, await late) == ("1", "new")
