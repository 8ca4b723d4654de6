"""The caches of one application by topic, and the versions that this worker knows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from time import monotonic
from typing import Any, TypeVar

from pydantic import ValidationError

from .cache import Cache
from .messages import Change, message

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
SECONDS_CURRENT = 1.0


class CacheRegistry:
    """Made by the kernel, never global. `publish` sends a message to the other workers where there is Redis."""

    def __init__(self) -> None:
        self.caches: dict[str, Cache[Any, Any]] = {}
        self.versions: dict[str, int] = {}
        self.read_at = float("-inf")
        self.publish: Callable[[bytes], None] = lambda _: None

    @property
    def is_current(self) -> bool:
        """Whether the versions were read less than a second ago."""
        return monotonic() - self.read_at < SECONDS_CURRENT

    def current_since(self) -> float:
        """Return when what is cached was last known to be current: now, where it is not used."""
        return self.read_at if self.is_current else monotonic()

    def create(self, topic: str, load: Callable[[K], Awaitable[V | None]], size: int) -> Cache[K, V]:
        """Return a new cache of this topic; it replaces an older one, as an application may be started again."""
        cache: Cache[K, V] = Cache(self, topic, load, size)
        self.caches[topic] = cache
        return cache

    def clear(self) -> None:
        """Drop everything that is cached in this worker."""
        for cache in self.caches.values():
            cache.clear()

    def on_commit(self, changes: list[Change]) -> None:
        """Apply what this worker has committed, and tell the others."""
        for change in changes:
            self.apply(change)
        self.publish(message.dump_json(changes))

    def on_message(self, data: bytes) -> None:
        """Apply what another worker tells; what cannot be read is left to the next poll."""
        try:
            changes = message.validate_json(data)
        except ValidationError:
            return
        for change in changes:
            self.apply(change)

    def apply(self, change: Change) -> None:
        """Drop the keys of a change, or the whole topic where a change before it was missed; ignore unknown topics."""
        cache = self.caches.get(change.topic)
        if cache is None:
            return
        known = self.versions.get(change.topic, 0)
        if change.key_hashes is not None:
            cache.drop_hashes(change.key_hashes)
        if change.version <= known:
            return
        if change.key_hashes is None or change.version > known + 1:
            cache.clear()
        self.versions[change.topic] = change.version

    def update(self, versions: Mapping[str, int], *, before: Mapping[str, int], read_at: float) -> None:
        """Take over the versions of a poll that began at `read_at`, when `before` was known.

        A version that is ahead means a message that did not come; one that went back, a database that was restored.
        """
        for topic in {*versions, *before}:
            version = versions.get(topic, 0)
            if version > self.versions.get(topic, 0) or version < before.get(topic, 0):
                self.versions[topic] = version
                if topic in self.caches:
                    self.caches[topic].clear()
        self.read_at = read_at
