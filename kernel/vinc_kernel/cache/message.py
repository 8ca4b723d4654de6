"""What workers tell each other: a line for each topic with its new number and the marks of the keys that changed.

`tenants.tenant 18 0f3a5c7e91b2d4f6,77aa01c2d3e4f506`, with `*` for all keys. An empty message, or one that nobody can
read, says: look at the numbers.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

LONGEST = 200  # bytes; PostgreSQL refuses 8,000, and with it the writer's transaction
MOST_MARKS = 4
ALL = "*"
line = re.compile(r"([a-z0-9_.]{1,100}) ([0-9]{1,18}) (\*|[0-9a-f]{16}(?:,[0-9a-f]{16})*)").fullmatch


@dataclass(frozen=True, slots=True)
class Change:
    """One topic's new number; `marks` None: any of its keys may have changed."""

    topic: str
    number: int
    marks: tuple[str, ...] | None


def parse(text: str) -> list[Change]:
    """The changes that a message tells; none for one that cannot be read."""
    found = []
    for part in text.split("\n"):
        told = line(part)
        if told is None:
            return []
        topic, number, marks = told.groups()
        found.append(Change(topic, int(number), None if marks == ALL else tuple(marks.split(","))))
    return found


def marks_text(marks: Collection[str] | None) -> str:
    """The marks as a message has them; None, or more than a few, are all."""
    return ALL if marks is None or len(marks) > MOST_MARKS else ",".join(sorted(marks))
