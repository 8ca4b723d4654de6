"""What a transaction makes workers forget: noted while it runs, counted and told with its COMMIT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import text

from .message import LONGEST, MOST_MARKS, marks_text

if TYPE_CHECKING:
    from ..database.compiler import BoundStatement
    from ..database.session import DatabaseSession

# Two transactions that change several topics take their rows in one order, so that neither waits for the other.
COUNT = """
with noted as (
  select * from unnest(cast(:topics as text[]), cast(:marks as text[])) as noted (topic, marks) order by topic
), changed as (
  insert into public.vinc_change as change (topic, number) select topic, 1 from noted
  on conflict (topic) do update set number = change.number + 1 returning topic, number
), told as (
  select string_agg(topic || ' ' || number || ' ' || marks, chr(10) order by topic) as message
  from changed join noted using (topic)
)
"""
PAYLOAD = "case when octet_length(message) <= :longest then message else '' end"
TELL = text(COUNT + "select message from told")  # noqa: S608  made of constants
NOTIFY = text(COUNT + f"select message, pg_notify(:channel, {PAYLOAD}) from told")  # noqa: S608  as above
NAME = "changes"


class Teller(Protocol):
    """Where changes are told: by PostgreSQL on `channel`, or where that is None by `publish`."""

    channel: str | None
    publish: Callable[[str], None]

    def hear(self, text: str) -> None:
        """Forget here what a message names."""


@dataclass(slots=True, eq=False)
class Noted:
    """The changes of one unit of work: one statement for all of them, in the round trip of its COMMIT."""

    changes: Teller
    topics: dict[str, set[str] | None] = field(default_factory=dict)

    @classmethod
    def on(cls, db: DatabaseSession, changes: Teller) -> Noted:
        """What is noted on this session's unit of work."""
        made: Noted | None = db.unit.info.get(NAME)
        if made is None:
            made = db.unit.info[NAME] = cls(changes)
            made.travel(db)
        return made

    def travel(self, db: DatabaseSession) -> None:
        """Send the statement with the commit, whenever that comes; what is noted until then is in it."""
        db.unit.with_commit(partial(self.query, db), self.told)

    def query(self, db: DatabaseSession) -> BoundStatement:
        more = {"channel": self.changes.channel, "longest": LONGEST} if self.changes.channel else {}
        values = {"topics": [*self.topics], "marks": [*map(marks_text, self.topics.values())]}
        return db.compile(NOTIFY if more else TELL, {**values, **more})

    def add(self, topic: str, marks: Sequence[str] | None) -> None:
        known = self.topics.setdefault(topic, set())
        if known is not None:
            known.update(marks or ())
        if marks is None or len(known or ()) > MOST_MARKS:
            self.topics[topic] = None

    def told(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Forget here at once, and tell the others where PostgreSQL has not."""
        message = str(rows[0][0])
        self.changes.hear(message)
        if not self.changes.channel:
            self.changes.publish(message if len(message) <= LONGEST else "")
