"""The numbers of changes as one worker knows them, and the caches that follow them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from .cache import Cache
from .message import Change, parse
from .note import Noted

if TYPE_CHECKING:
    from ..database.session import DatabaseSession

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
SECONDS_TO_BELIEVE = 1.0


class Changes:
    """One application's caches by topic; made by the kernel, never global.

    `channel` is where PostgreSQL notifies of a change, None where messages go by `publish`.
    """

    def __init__(self) -> None:
        self.caches: dict[str, Cache[Any, Any]] = {}
        self.numbers: dict[str, int] = {}
        self.read_at = float("-inf")
        self.channel: str | None = None
        self.publish: Callable[[str], None] = lambda _: None
        self.look: Callable[[], None] = lambda: None

    @property
    def are_known(self) -> bool:
        """Whether the numbers were read less than a second ago."""
        return monotonic() - self.read_at < SECONDS_TO_BELIEVE

    def cached(self, topic: str, load: Callable[[K], Awaitable[V | None]], size: int) -> Cache[K, V]:
        """A cache of this topic, in the place of an older one: an application may be started again."""
        made: Cache[K, V] = Cache(self, topic, load, size)
        self.caches[topic] = made
        return made

    def clear(self) -> None:
        """Drop everything that is cached in this worker."""
        for cache in self.caches.values():
            cache.clear()

    def note(self, db: DatabaseSession, topic: str, marks: Sequence[str] | None) -> None:
        """Note on the unit of work what its commit makes every worker forget."""
        Noted.on(db, self).add(topic, marks)

    def hear(self, text: str) -> None:
        """Forget what a message names; look at the numbers where it names nothing."""
        told = parse(text)
        for change in told:
            self.follow(change)
        if not told:
            self.look()

    def follow(self, change: Change) -> None:
        """Forget the keys of a change; all of its topic's where one before it was missed."""
        known, cache = self.numbers.get(change.topic, 0), self.caches.get(change.topic)
        if cache is not None and change.marks is not None:
            cache.drop_marked(change.marks)
        if change.number <= known:
            return
        if cache is not None and (change.marks is None or change.number > known + 1):
            cache.clear()
        self.numbers[change.topic] = change.number

    def read(self, began: float, before: Mapping[str, int], found: Mapping[str, int]) -> None:
        """Take over numbers that were asked for at `began`, when `before` was known.

        One that is ahead tells of a message that did not come; one that went back, of a database that was restored.
        """
        for topic in {*found, *before}:
            number = found.get(topic, 0)
            if number > self.numbers.get(topic, 0) or number < before.get(topic, 0):
                self.numbers[topic] = number
                if topic in self.caches:
                    self.caches[topic].clear()
        self.read_at = began
