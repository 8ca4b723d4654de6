"""One revision in one transaction: nobody else migrates, locks are waited for briefly, the owner of the tables acts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from vinc_kernel.database.roles import Roles
from vinc_kernel.errors import DatabaseError

from .prepare import SECONDS_TO_CONNECT, place

MUTEX = 0x76696E63  # "vinc" in ASCII: the advisory lock of whoever migrates
MILLISECONDS = 1000
SECONDS_BETWEEN_LOOKS = 0.1
CONTENDED = frozenset({"55P03", "40P01"})  # lock_not_available, deadlock_detected
# Under `row_security = off` a statement that row level security would cut short is an error, not 0 rows: FORCE binds
# the owner, who has no tenant. A backend whose client was killed ends within a second, and its locks with it.
RULES = """
select set_config('lock_timeout', {lock}, true), set_config('row_security', 'off', true),
  set_config('search_path', 'public', true), set_config('client_connection_check_interval', '1000', true)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for locks on tables, each time and how often, and for another process that migrates."""

    lock_seconds: float = 2
    attempts: int = 5
    seconds_between: float = 1
    turn_seconds: float = 600


def tell_nobody(_: str) -> None:
    """Leave a line about the progress unsaid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """As which roles to migrate, how patiently, and who is told of each step."""

    roles: Roles = field(default_factory=Roles)
    patience: Patience = field(default_factory=Patience)
    tell: Callable[[str], None] = tell_nobody


@dataclass(frozen=True, slots=True)
class Unit:
    """What operations in a revision need to know; Alembic's context carries it as the option `vinc`."""

    connection: Connection
    plugin: str
    how: How

    @property
    def roles(self) -> Roles:
        return self.how.roles

    def run(self, statement: str, more: Mapping[str, sql.Composable] | None = None) -> list[tuple[Any, ...]]:
        """Run SQL with the roles' names, and more, filled in; return the rows if it gives any."""
        return self.ask(sql.SQL(statement).format(**self.roles.words(), **(more or {})))

    def ask(self, statement: sql.Composed) -> list[tuple[Any, ...]]:
        """Run composed SQL; return the rows if it gives any."""
        text = statement.as_string()
        result = self.connection.exec_driver_sql(text.replace("%", "%%"))  # psycopg looks for parameters in it
        return [tuple(row) for row in result] if result.returns_rows else []

    def begin(self) -> None:
        """Begin a transaction, and wait until it is our turn.

        It is asked for again and again: a statement that waits has a snapshot, and `create index concurrently` of
        whose turn it is would wait for that.
        """
        deadline = time.monotonic() + self.how.patience.turn_seconds
        while not self.run("select pg_try_advisory_xact_lock({mutex})", {"mutex": sql.Literal(MUTEX)})[0][0]:
            self.connection.rollback()
            if time.monotonic() > deadline:
                waited = f"{self.how.patience.turn_seconds:g} s"
                message = f"{self.plugin}: another process has been migrating for {waited}; try again when it is done"
                raise DatabaseError(message)
            time.sleep(SECONDS_BETWEEN_LOOKS)
        lock = sql.Literal(str(round(self.how.patience.lock_seconds * MILLISECONDS)))
        self.run(RULES, {"lock": lock})
        self.run("set local role {owner}")


@contextmanager
def alone(unit: Unit) -> Iterator[None]:
    """One transaction of the owner in which nobody else migrates this database; rolled back on any error."""
    try:
        unit.begin()
        yield
        unit.connection.commit()
    except BaseException:
        unit.connection.rollback()
        raise


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection for migrating, which prepares nothing so that it works behind a pooler; raises DatabaseError."""
    address = make_url(url).set(drivername="postgresql+psycopg")
    arguments = {"prepare_threshold": None, "connect_timeout": SECONDS_TO_CONNECT}
    engine = create_engine(address, poolclass=NullPool, use_native_hstore=False, connect_args=arguments)
    try:
        connection = engine.connect()
    except DBAPIError as error:
        raise DatabaseError(
            f"{place(address)}: {reason(error)}; start the server, correct the address, or run vinc db init"
        ) from error
    with connection:
        try:
            yield connection
        except DBAPIError as error:
            raise DatabaseError(f"{place(address)}, as {address.username}: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """What PostgreSQL says, without the statement and the values in it."""
    return str(error.orig if isinstance(error, DBAPIError) else error).strip().partition("\n")[0]


def sqlstate(error: BaseException) -> str | None:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None
