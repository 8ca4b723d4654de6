"""What a transaction invalidates: collected while it runs, and given new versions with its COMMIT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from .messages import Change

if TYPE_CHECKING:
    from ..database.compiler import BoundStatement
    from ..database.session import DatabaseSession
    from .registry import CacheRegistry

# In one order, so that two transactions that change several topics don't wait for each other's rows.
INCREMENT = text("""
insert into public.vinc_change as change (topic, number)
select topic, 1 from unnest(cast(:topics as text[])) as topic order by topic
on conflict (topic) do update set number = change.number + 1 returning topic, number
""")
MAX_KEYS = 100  # of a topic in a message; more are told as all
NAME = "invalidations"


@dataclass(slots=True, eq=False)
class Invalidations:
    """The invalidated keys of one unit of work, by topic; one statement for all, in the round trip of its COMMIT."""

    registry: CacheRegistry
    key_hashes: dict[str, frozenset[str] | None] = field(default_factory=dict)

    @classmethod
    def of(cls, db: DatabaseSession, registry: CacheRegistry) -> Invalidations:
        """Return those of this session's unit of work."""
        invalidations: Invalidations | None = db.unit.info.get(NAME)
        if invalidations is None:
            invalidations = db.unit.info[NAME] = cls(registry)
            db.unit.with_commit(partial(invalidations.statement, db), invalidations.on_commit)
        return invalidations

    def add(self, topic: str, key_hashes: frozenset[str] | None) -> None:
        known = self.key_hashes.get(topic, frozenset())
        hashes = None if known is None or key_hashes is None else known | key_hashes
        self.key_hashes[topic] = None if hashes is None or len(hashes) > MAX_KEYS else hashes

    def statement(self, db: DatabaseSession) -> BoundStatement:
        return db.compile(INCREMENT, {"topics": [*self.key_hashes]})

    def on_commit(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self.registry.on_commit([Change(topic, version, self.key_hashes[topic]) for topic, version in rows])
