"""A cache that every worker invalidates together: bounded, the least recently used entry goes first."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from .invalidations import Invalidations
from .messages import hash_key

if TYPE_CHECKING:
    from ..database.session import DatabaseSession
    from .registry import CacheRegistry

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """What `load` returns, cached by key until it changes; None is never cached.

    While the versions in PostgreSQL cannot be read, nothing cached is used and `load` is called each time.
    """

    def __init__(
        self, registry: CacheRegistry, topic: str, load: Callable[[K], Awaitable[V | None]], size: int
    ) -> None:
        self.registry, self.topic, self.load, self.size = registry, topic, load, size
        self.values: OrderedDict[K, V] = OrderedDict()
        self.loading: dict[K, asyncio.Task[V | None]] = {}
        self.keys_by_hash: dict[str, K] = {}

    def peek(self, key: K) -> V | None:
        """Return the cached value of a key, without waiting; None where `get` would load it."""
        value = self.values.get(key)
        if value is None or not self.registry.is_current:
            return None
        self.values.move_to_end(key)
        return value

    async def get(self, key: K) -> V | None:
        """Return the value of a key; raises what `load` raises.

        Call it before the first statement of a request, or the request may need two connections at a time.
        """
        if (value := self.peek(key)) is not None:
            return value
        task = self.loading.get(key)
        # A load that began before a change we could not hear of may return the old value: nobody joins it then.
        if task is None or not self.registry.is_current:
            self.keys_by_hash[hash_key(key)] = key
            task = self.loading[key] = asyncio.ensure_future(self.load(key))
            task.add_done_callback(partial(self.store, key))
        return await asyncio.shield(task)

    def store(self, key: K, task: asyncio.Task[V | None]) -> None:
        """Cache what was loaded, unless the key was dropped meanwhile: the value may be the old one."""
        value = None if task.cancelled() or task.exception() is not None else task.result()
        if self.loading.get(key) is not task:
            return
        del self.loading[key]
        if value is None:
            self.drop(key)
            return
        self.values[key] = value
        self.values.move_to_end(key)
        while len(self.values) > self.size:
            self.drop(next(iter(self.values)))

    def invalidate(self, db: DatabaseSession, *keys: K) -> None:
        """Drop these keys, or all without any, on every worker once the session's transaction is committed."""
        Invalidations.of(db, self.registry).add(self.topic, frozenset(map(hash_key, keys)) or None)

    def drop(self, key: K) -> None:
        self.values.pop(key, None)
        self.loading.pop(key, None)
        self.keys_by_hash.pop(hash_key(key), None)

    def drop_hashes(self, key_hashes: Iterable[str]) -> None:
        """Drop, in this worker, the keys with these hashes."""
        for key_hash in key_hashes:
            if (key := self.keys_by_hash.get(key_hash)) is not None:
                self.drop(key)

    def clear(self) -> None:
        """Drop everything in this worker."""
        self.values.clear()
        self.loading.clear()
        self.keys_by_hash.clear()
