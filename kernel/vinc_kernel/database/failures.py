"""Turn what PostgreSQL and psycopg refuse into problems, in one place, by SQLSTATE.

Their messages carry values (`Key (email)=(...)`), so that neither an answer nor a log has them: SQLSTATE, constraint
and table are logged, the foreign error loses its text, and ours is raised `from None`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import psycopg
from psycopg_pool import PoolClosed
from sqlalchemy.engine import ExceptionContext

from ..errors import (
    Conflict,
    DatabaseError,
    DeadlineExceeded,
    Forbidden,
    Problem,
    Unavailable,
    Unprocessable,
    VincError,
)

logger = logging.getLogger("vinc.postgres")
RETRY_AFTER = "1"
MISFIT = "A value does not fit what can be stored."
LATER = "The database did not answer in time, or not at all."
# What a value can do to psycopg and to SQLAlchemy's types before anything is sent: a lone surrogate, a number or a
# nesting that is too large, a state that an Enum does not know. That one is a bare LookupError; a KeyError is a bug.
CLIENT_SIDE = {UnicodeEncodeError, OverflowError, RecursionError, LookupError}

# https://www.postgresql.org/docs/current/errcodes-appendix.html; the whole code first, else its class.
KINDS: Mapping[str, tuple[type[Problem], str]] = {
    "22": (Unprocessable, MISFIT),
    "54": (Unprocessable, MISFIT),  # program limit exceeded: an index entry too long, a document too deep
    "23502": (Unprocessable, "A value is missing."),
    "23514": (Unprocessable, "A value is outside of what is allowed."),
    "23001": (Conflict, "Something else refers to this."),
    "23503": (Conflict, "Something else refers to this, or what this refers to does not exist."),
    "23505": (Conflict, "There is one like this already."),
    "23P01": (Conflict, "This overlaps with something that exists."),
    "42501": (Forbidden, "This is not allowed here."),
    "25P03": (DeadlineExceeded, LATER),  # idle in transaction too long
    "25P04": (DeadlineExceeded, LATER),  # transaction too long
    "57014": (DeadlineExceeded, LATER),  # cancelled: the statement took too long
    "55P03": (DeadlineExceeded, LATER),  # a lock was not free in time
    "08": (Unavailable, LATER),
    "40": (Unavailable, "Another change came between; try again."),
    "53": (Unavailable, LATER),
    "57P": (Unavailable, LATER),
    "58": (Unavailable, LATER),
}
# Faults of the statement, not of the request.
REFUSED: Mapping[str, str] = {
    "25006": "a write was refused, as GET and HEAD only read: write in POST, PUT, PATCH or DELETE",
    "25P02": "a statement came after one that had failed: let the first error pass, or ask before you write",
}


def told(error: BaseException) -> VincError | None:
    """Our error for one of psycopg's; None for what is none of a database's. The foreign text is gone."""
    if isinstance(error, psycopg.Error):
        return of_psycopg(error)
    if type(error) in CLIENT_SIDE:
        logger.info("a value was refused before it was sent", extra={"error_class": type(error).__name__})
        return Unprocessable(MISFIT)
    return None


def of_psycopg(error: psycopg.Error) -> VincError:
    kind, detail = kind_of(error)
    state, diagnostics, name = error.sqlstate or "", error.diag, type(error).__name__
    found = {
        "error_class": name,
        "sqlstate": state,
        "constraint": diagnostics.constraint_name or "",
        "table": diagnostics.table_name or "",
    }
    error.args = (f"{name} {state}".rstrip(),)  # wherever the chain of causes is printed
    if kind is None:
        logger.error("the database refused a statement: %s", detail or name, extra=found)
        return DatabaseError(f"the database refused a statement: {detail or name} ({state or 'no SQLSTATE'})")
    level = logging.WARNING if kind in (Unavailable, DeadlineExceeded, Forbidden) else logging.INFO
    logger.log(level, "the database refused a statement: %s", name, extra=found)
    return kind(detail, headers={"Retry-After": RETRY_AFTER} if kind is Unavailable else None)


def kind_of(error: psycopg.Error) -> tuple[type[Problem] | None, str]:
    """Which problem it is, and what to say of it; without one it is a fault of the plugin's, answered with 500."""
    state = error.sqlstate or ""
    if state in REFUSED:
        return None, REFUSED[state]
    for known in (state, state[:3], state[:2]):
        if known in KINDS:
            return KINDS[known]
    if not state and isinstance(error, psycopg.DataError):  # psycopg itself: a NUL, a year past 9999
        return Unprocessable, MISFIT
    if not state and (isinstance(error, psycopg.OperationalError | PoolClosed)):  # the line is lost, or none was free
        return Unavailable, LATER
    return None, ""


def tell_in_place_of_sqlalchemy(context: ExceptionContext) -> None:
    """For SQLAlchemy's event `handle_error`: the ORM raises what `told` says."""
    ours = told(context.original_exception)
    if ours is not None:
        raise ours from None
