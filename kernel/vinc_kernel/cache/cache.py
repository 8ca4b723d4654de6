"""A cache that every worker forgets from when it must: bounded, the longest unused goes first."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from .keys import mark

if TYPE_CHECKING:
    from ..database.session import DatabaseSession

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Numbers(Protocol):
    """What a cache must know of changes."""

    @property
    def are_known(self) -> bool:
        """Whether it can be said that nothing has changed."""

    def note(self, db: DatabaseSession, topic: str, marks: Sequence[str] | None) -> None:
        """Have every worker forget these of the topic, or all of it, once the transaction is committed."""


class Cache(Generic[K, V]):
    """What `load` gives, kept by key until it changes; None is never kept.

    While the numbers of changes cannot be read, nothing kept is believed and `load` is asked each time.
    """

    def __init__(self, changes: Numbers, topic: str, load: Callable[[K], Awaitable[V | None]], size: int) -> None:
        self.changes, self.topic, self.load, self.size = changes, topic, load, size
        self.kept: OrderedDict[K, V] = OrderedDict()
        self.loading: dict[K, asyncio.Task[V | None]] = {}
        self.marks: dict[str, K] = {}

    def peek(self, key: K) -> V | None:
        """The value of a key where it is kept and can be believed, without waiting; None where `get` would load it."""
        found = self.kept.get(key)
        if found is None or not self.changes.are_known:
            return None
        self.kept.move_to_end(key)
        return found

    async def get(self, key: K) -> V | None:
        """The value of a key; raises what `load` raises.

        Ask before the first statement of a request, or it may need two connections at a time.
        """
        if (found := self.peek(key)) is not None:
            return found
        task = self.loading.get(key)
        # One that began before what nobody told us of may answer with what was: nobody joins it then.
        if task is None or not self.changes.are_known:
            self.marks[mark(key)] = key
            task = self.loading[key] = asyncio.create_task(self.loaded(key))
            task.add_done_callback(partial(self.settle, key))
        return await asyncio.shield(task)

    async def loaded(self, key: K) -> V | None:
        return await self.load(key)

    def settle(self, key: K, task: asyncio.Task[V | None]) -> None:
        """Keep what was loaded, unless the key was forgotten meanwhile: the value may be the one from before."""
        value = None if task.cancelled() or task.exception() is not None else task.result()
        if self.loading.get(key) is not task:
            return
        del self.loading[key]
        if value is None:
            self.drop(key)
            return
        self.kept[key] = value
        self.kept.move_to_end(key)
        while len(self.kept) > self.size:
            self.drop(next(iter(self.kept)))

    def invalidate(self, db: DatabaseSession, *keys: K) -> None:
        """Drop these keys, or all without any, on every worker once the session's transaction is committed."""
        self.changes.note(db, self.topic, [mark(key) for key in keys] or None)

    def drop(self, key: K) -> None:
        self.kept.pop(key, None)
        self.loading.pop(key, None)
        self.marks.pop(mark(key), None)

    def drop_marked(self, marks: Iterable[str]) -> None:
        """Forget, in this worker, the keys that a message names."""
        for one in marks:
            if (key := self.marks.get(one)) is not None:
                self.drop(key)

    def clear(self) -> None:
        """Forget everything in this worker."""
        self.kept.clear()
        self.loading.clear()
        self.marks.clear()
