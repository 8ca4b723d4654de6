"""Turn errors of PostgreSQL and psycopg into problems, by SQLSTATE.

Their messages contain values (`Key (email)=(...)`), and neither an answer nor a log may: SQLSTATE, constraint and table
are logged, the original error loses its text, and the problem is raised `from None`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import psycopg
from psycopg_pool import PoolClosed
from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import ExceptionContext

from ..errors import (
    Conflict,
    DatabaseError,
    DeadlineExceeded,
    Fault,
    Forbidden,
    Problem,
    Unavailable,
    Unprocessable,
    VincError,
)
from .base import Base
from .pipeline import MOST_VALUES, is_outdated_plan

P = ParamSpec("P")
T = TypeVar("T")
logger = logging.getLogger("vinc.postgres")
RETRY_AFTER = "1"
DOES_NOT_FIT = "A value does not fit what can be stored."
NO_ANSWER = "The database did not answer in time, or not at all."
# What psycopg and SQLAlchemy's types raise for a value, before anything is sent or after it has arrived: a lone
# surrogate, a number or a nesting that is too large, a value that an Enum does not have. That one is a bare
# LookupError; a KeyError is a bug.
VALUE_ERRORS = {UnicodeEncodeError, OverflowError, RecursionError, LookupError}

# https://www.postgresql.org/docs/current/errcodes-appendix.html; the whole code first, else its class.
PROBLEMS: Mapping[str, tuple[type[Problem], str]] = {
    "22": (Unprocessable, DOES_NOT_FIT),
    "54": (Unprocessable, DOES_NOT_FIT),  # program limit exceeded: an index entry too long, a document too deep
    "23502": (Unprocessable, "A value is missing."),
    "23514": (Unprocessable, "A value is outside of what is allowed."),
    "23001": (Conflict, "Something else refers to this."),
    "23503": (Conflict, "Something else refers to this, or what this refers to does not exist."),
    "23505": (Conflict, "There is one like this already."),
    "23P01": (Conflict, "This overlaps with something that exists."),
    "42501": (Forbidden, "This is not allowed here."),
    "25P03": (DeadlineExceeded, NO_ANSWER),  # idle in transaction too long
    "25P04": (DeadlineExceeded, NO_ANSWER),  # transaction too long
    "57014": (DeadlineExceeded, NO_ANSWER),  # cancelled: the statement took too long
    "55P03": (DeadlineExceeded, NO_ANSWER),  # a lock was not free in time
    "08": (Unavailable, NO_ANSWER),
    "40": (Unavailable, "Another change came between; try again."),  # serialization failure, deadlock
    "53": (Unavailable, NO_ANSWER),
    "57P": (Unavailable, NO_ANSWER),
    "58": (Unavailable, NO_ANSWER),
}
# Code and message of a field, by the kind of key that refused it.
KEYS: Mapping[str, tuple[str, str]] = {
    "23503": ("unknown", "refers to something that does not exist"),
    "23505": ("taken", "is taken already"),
    "23P01": ("overlap", "overlaps with something that exists"),
}
SET_BY_SERVER = frozenset({"tenant_id", "id"})
PREPARER = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]  # SQLAlchemy's
MISSING = "is not in the database: vinc db upgrade runs migrations that are missing, vinc db check compares"
NOT_GRANTED = "the application's role may not do this there; append-only tables are only inserted into and read"
# Faults of the plugin or of the installation, not of the request.
FAULTS: Mapping[str, str] = {
    "25006": "a write was refused, as GET and HEAD only read: write in POST, PUT, PATCH or DELETE",
    "25P02": "a statement came after one that had failed: let the first error pass, or ask before you write",
    "42703": f"a column that it names {MISSING}",
    "42P01": f"a table that it names {MISSING}",
}


def to_problem(error: BaseException) -> VincError | None:
    """Return the problem for an error of psycopg, whose text is removed; None for an error of anything else."""
    if isinstance(error, psycopg.Error):
        return psycopg_problem(error)
    if type(error) in VALUE_ERRORS:
        logger.info("a value was refused before it was sent", extra={"error_class": type(error).__name__})
        return Unprocessable(DOES_NOT_FIT)
    return None


def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the function; raises the problem in place of an error that has one."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        problem = to_problem(error)
        if problem is None:
            raise
    raise problem from None  # outside of the `except`, so that the original error is not its context


def psycopg_problem(error: psycopg.Error) -> VincError:
    kind, detail = classify(error)
    state, diagnostics, name = error.sqlstate or "", error.diag, type(error).__name__
    extra = {
        "error_class": name,
        "sqlstate": state,
        "constraint": diagnostics.constraint_name or "",
        "table": diagnostics.table_name or "",
    }
    error.args = (f"{name} {state}".rstrip(),)  # it may be logged as the cause of another
    if kind is None:
        logger.error("the database refused a statement: %s", detail or name, extra=extra)
        return DatabaseError(f"the database refused a statement: {detail or name} ({state or 'no SQLSTATE'})")
    level = logging.WARNING if kind in (Unavailable, DeadlineExceeded, Forbidden) else logging.INFO
    if diagnostics.source_function == "aclcheck_error":  # PostgreSQL's own, whose text has names and no values
        name = f"{diagnostics.message_primary}: {NOT_GRANTED}"
    logger.log(level, "the database refused a statement: %s", name, extra=extra)
    headers = {"Retry-After": RETRY_AFTER} if kind is Unavailable else None
    return kind(detail, errors=key_faults(state, diagnostics), headers=headers)


def key_faults(state: str, diagnostics: psycopg.errors.Diagnostic) -> list[Fault]:
    """Return the fields of the key that refused a row, but for those that the server sets."""
    table, name = Base.metadata.tables.get(diagnostics.table_name or ""), diagnostics.constraint_name
    if table is None or name is None or state not in KEYS:
        return []
    keys: list[Any] = [*table.constraints, *table.indexes]
    key = next((one for one in keys if PREPARER.format_constraint(one) == name), None)
    if key is None or (isinstance(key, ForeignKeyConstraint) and is_referred_to(key, diagnostics)):
        return []
    code, message = KEYS[state]
    fields = [column.name for column in key.columns if column.name not in SET_BY_SERVER]
    return [Fault(place="body", pointer=f"/{field}", code=code, message=message) for field in fields]


def is_referred_to(key: ForeignKeyConstraint, diagnostics: psycopg.errors.Diagnostic) -> bool:
    """Return whether rows still refer to the one that was to go: in any language, PostgreSQL then names both tables."""
    text = (diagnostics.message_primary or "").replace(diagnostics.constraint_name or "", "")
    return sum(len(re.findall(rf"\b{name}\b", text)) for name in {key.table.name, key.referred_table.name}) > 1


def require_few_values(count: int) -> None:
    """Raise Unprocessable for more values than a statement can have; to psycopg that is a lost connection."""
    if count > MOST_VALUES:
        raise Unprocessable(f"The request needs {count} values at once, and {MOST_VALUES} are the most.")


def classify(error: psycopg.Error) -> tuple[type[Problem] | None, str]:
    """Return the problem's class and detail; no class where it is a fault of the plugin, which is answered with 500."""
    state = error.sqlstate or ""
    if state in FAULTS:
        return None, FAULTS[state]
    if is_outdated_plan(error):
        return Unavailable, "A migration has changed a table; try again."
    for prefix in (state, state[:3], state[:2]):
        if prefix in PROBLEMS:
            return PROBLEMS[prefix]
    if not state and isinstance(error, psycopg.DataError):  # psycopg itself: a NUL, a year past 9999
        return Unprocessable, DOES_NOT_FIT
    if not state and isinstance(error, psycopg.OperationalError | PoolClosed):  # connection lost, or none was free
        return Unavailable, NO_ANSWER
    return None, ""


def raise_problem(context: ExceptionContext) -> None:
    """Raise the problem in place of SQLAlchemy's error; a listener of its event `handle_error`, for the ORM."""
    problem = to_problem(context.original_exception)
    if problem is not None:
        raise problem from None
