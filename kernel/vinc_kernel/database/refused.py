"""Statements that a session refuses: they would end its transaction, or could not be answered."""

from __future__ import annotations

import re

from ..errors import DatabaseError

BEFORE = r"(?:\s|;|--[^\n]*+|/\*.*?\*/)*+"  # possessive: comments are gone through once, however many
# `rollback to` a savepoint stays inside of the transaction, and SQLAlchemy's begin_nested() needs it.
ENDS = (
    r"begin|start\s+transaction|commit|end|abort|prepare\s+transaction"
    r"|rollback(?!(?:\s+(?:work|transaction))?\s+to\b)"
)
REFUSED = re.compile(
    rf"{BEFORE}(?:(?P<ends>{ENDS})|(?P<copy>copy)|(?P<keeps>prepare|deallocate))\b", re.IGNORECASE | re.DOTALL
)
CURES = {
    "ends": "a session begins and ends its transaction with its request: take it out, or raise an error to roll back",
    "copy": "a session cannot answer it: use insert() and select(), or run it with a connection of your own",
    "keeps": "what is prepared is the connection's, which others get after you: take it out, Vinc prepares by itself",
}
ENDED = "a statement ended the transaction of its session, and what came before it may be stored: take it out"
SEVERAL = "several statements came in one text: send each by itself"


def refuse(sql: str) -> None:
    """Raise DatabaseError for a statement that is not for a session, before it is sent."""
    found = REFUSED.match(sql)
    if found is not None:
        verb = " ".join(found[found.lastgroup or 0].upper().split())
        message = f"{verb} was refused: {CURES[str(found.lastgroup)]}"
        raise DatabaseError(message)
