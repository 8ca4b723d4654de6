"""Which statements a session refuses, and which may leave session state behind, found in their text."""

from __future__ import annotations

import re
from functools import lru_cache

LEADING = r"(?:\s|;|--[^\n]*+|/\*.*?\*/)*+"  # possessive: linear, however many comments there are
# `rollback to` a savepoint stays inside the transaction, and SQLAlchemy's begin_nested() needs it.
TRANSACTION = (
    r"begin|start\s+transaction|commit|end|abort|prepare\s+transaction"
    r"|rollback(?!(?:\s+(?:work|transaction))?\s+to\b)"
)
FORBIDDEN = re.compile(
    rf"{LEADING}(?:(?P<transaction>{TRANSACTION})|(?P<copy>copy)|(?P<prepare>prepare|deallocate))\b",
    re.IGNORECASE | re.DOTALL,
)
REASONS = {
    "transaction": "a session begins and ends its transaction with its request: take it out, or raise an error to "
    "roll back",
    "copy": "a session cannot answer it: use insert() and select(), or run it with a connection of your own",
    "prepare": "a prepared statement belongs to the connection, which others get after you: take it out, Vinc prepares "
    "statements itself",
}
TRANSACTION_ENDED = (
    "a statement ended the transaction of its session, and what came before it may be stored: take it out"
)
SEVERAL_STATEMENTS = "several statements came in one text: send each by itself"
# Statements that read and write rows, and savepoints. Whatever else there is may leave session state: SET, LISTEN, DO,
# CALL. So may these functions and a temporary table.
ROWS = re.compile(
    rf"{LEADING}\(*\s*(?:select|insert|update|delete|merge|values|with|savepoint|release|rollback)\b",
    re.IGNORECASE | re.DOTALL,
)
SESSION_STATE = re.compile(
    r"set_config|setseed|advisory_(?:un)?lock|dblink|\binto\s+(?:(?:local|global)\s+)?temp|U&\"", re.IGNORECASE
)


@lru_cache(maxsize=1000)
def refusal(sql: str) -> str:
    """Why a session refuses this statement; empty where it does not."""
    found = FORBIDDEN.match(sql)
    if found is None:
        return ""
    verb = " ".join(found[found.lastgroup or 0].upper().split())
    return f"{verb} was refused: {REASONS[str(found.lastgroup)]}"


@lru_cache(maxsize=1000)
def leaves_session_state(sql: str) -> bool:
    """Whether it may leave session state, which must be reset before another request gets the connection."""
    return ROWS.match(sql) is None or SESSION_STATE.search(sql) is not None
