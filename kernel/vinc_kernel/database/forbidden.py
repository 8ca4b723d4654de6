"""What the text of a statement says about it: that a session refuses it, or that it may outlive its transaction."""

from __future__ import annotations

import re
from functools import lru_cache

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
# Statements that read and write rows; savepoints are the transaction's. Whatever else there is may last: SET, LISTEN,
# DO, CALL. So may what these functions do, and a temporary table.
ROWS = re.compile(
    rf"{BEFORE}\(*\s*(?:select|insert|update|delete|merge|values|with|savepoint|release|rollback)\b",
    re.IGNORECASE | re.DOTALL,
)
LASTING = re.compile(
    r"set_config|setseed|advisory_(?:un)?lock|dblink|\binto\s+(?:(?:local|global)\s+)?temp|U&\"", re.IGNORECASE
)


def refuse(sql: str) -> None:
    """Raise DatabaseError for a statement that is not for a session, before it is sent."""
    if why := refusal(sql):
        raise DatabaseError(why)


@lru_cache(maxsize=1000)
def refusal(sql: str) -> str:
    """Why this statement is not for a session; empty for one that is."""
    found = REFUSED.match(sql)
    if found is None:
        return ""
    verb = " ".join(found[found.lastgroup or 0].upper().split())
    return f"{verb} was refused: {CURES[str(found.lastgroup)]}"


@lru_cache(maxsize=1000)
def leaves_session_state(sql: str) -> bool:
    """Whether what it does may outlive its transaction, and must be reset before somebody else gets the connection."""
    return ROWS.match(sql) is None or LASTING.search(sql) is not None
