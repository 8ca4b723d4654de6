"""The connection that migrates: nobody else migrates meanwhile, waits for locks are short, the tables' owner acts."""

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

from .prepare import SECONDS_TO_CONNECT, describe_server

MUTEX = 0x76696E63  # "vinc" in ASCII: the advisory lock of whoever migrates
MILLISECONDS = 1000
SECONDS_BETWEEN_POLLS = 0.1
CONTENDED = frozenset({"55P03", "40P01"})  # lock_not_available, deadlock_detected
# Under `row_security = off` a statement that row level security would cut short is an error, not 0 rows: FORCE binds
# the owner, who has no tenant. A backend whose client was killed ends within a second, and its locks with it.
RULES = """
select set_config('lock_timeout', {lock}, true), set_config('row_security', 'off', true),
  set_config('search_path', 'public', true), set_config('client_connection_check_interval', '1000', true)
"""


class Busy(DatabaseError):
    """Another process has been migrating for too long."""


def report_nothing(line: str) -> None:
    """Ignore a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationOptions:
    """The roles to migrate as, how long to wait in seconds, and who gets a line about each revision.

    `lock_timeout` is for a lock on a table, which is tried `lock_attempts` times with `retry_delay` between them;
    `turn_timeout` is for another process that migrates.
    """

    roles: Roles = field(default_factory=Roles)
    lock_timeout: float = 2
    lock_attempts: int = 5
    retry_delay: float = 1
    turn_timeout: float = 600
    report: Callable[[str], None] = report_nothing


@dataclass(frozen=True, slots=True)
class MigrationConnection:
    """A connection on which a plugin's revisions run; Alembic's context carries it as the option `vinc`."""

    connection: Connection
    plugin: str
    options: MigrationOptions

    @property
    def roles(self) -> Roles:
        return self.options.roles

    @property
    def driver(self) -> psycopg.Connection[Any]:
        """Psycopg's connection, for statements that are not SQLAlchemy's business."""
        driver = self.connection.connection.driver_connection
        if not isinstance(driver, psycopg.Connection):
            raise DatabaseError("migrations work over psycopg alone; write postgresql+psycopg://")
        return driver

    def execute(self, statement: str, names: Mapping[str, sql.Composable] | None = None) -> list[tuple[Any, ...]]:
        """Run SQL with the roles' names, and more, filled in; return the rows if there are any."""
        return self.execute_composed(sql.SQL(statement).format(**self.roles.sql_names(), **(names or {})))

    def execute_composed(self, statement: sql.Composed) -> list[tuple[Any, ...]]:
        """Run composed SQL; return the rows if there are any."""
        text = statement.as_string()
        result = self.connection.exec_driver_sql(text.replace("%", "%%"))  # psycopg looks for parameters in it
        return [tuple(row) for row in result] if result.returns_rows else []

    def begin(self) -> None:
        """Begin a transaction, once nobody else migrates.

        The lock is polled: a statement that waits has a snapshot, and `create index concurrently` of whoever holds
        the lock would wait for that.
        """
        deadline = time.monotonic() + self.options.turn_timeout
        while not self.execute("select pg_try_advisory_xact_lock({mutex})", {"mutex": sql.Literal(MUTEX)})[0][0]:
            self.connection.rollback()
            if time.monotonic() > deadline:
                waited = f"{self.options.turn_timeout:g} s"
                message = f"{self.plugin}: another process has been migrating for {waited}; try again when it is done"
                raise Busy(message)
            time.sleep(SECONDS_BETWEEN_POLLS)
        lock_timeout = sql.Literal(str(round(self.options.lock_timeout * MILLISECONDS)))
        self.execute(RULES, {"lock": lock_timeout})
        self.execute("set local role {owner}")


@contextmanager
def exclusive_transaction(db: MigrationConnection) -> Iterator[None]:
    """Run a transaction of the owner in which nobody else migrates this database; roll it back on any error."""
    try:
        db.begin()
        yield
        db.connection.commit()
    except BaseException:
        db.connection.rollback()
        raise


@contextmanager
def connect(url: str) -> Iterator[Connection]:
    """A connection for migrating, which prepares nothing so that it works behind a pooler; raises DatabaseError."""
    address = make_url(url).set(drivername="postgresql+psycopg")
    arguments = {"prepare_threshold": None, "connect_timeout": SECONDS_TO_CONNECT}
    engine = create_engine(address, poolclass=NullPool, use_native_hstore=False, connect_args=arguments)
    try:
        connection = engine.connect()
    except DBAPIError as error:
        cure = "start the server, correct the address, or run vinc db init"
        raise DatabaseError(f"{describe_server(address)}: {postgres_message(error)}; {cure}") from error
    with connection:
        try:
            yield connection
        except DBAPIError as error:
            raise DatabaseError(
                f"{describe_server(address)}, as {address.username}: {postgres_message(error)}"
            ) from error


def postgres_message(error: BaseException) -> str:
    """Return what PostgreSQL says, without the statement and its values."""
    return str(error.orig if isinstance(error, DBAPIError) else error).strip().partition("\n")[0]


def sqlstate(error: BaseException) -> str | None:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None
