"""Create a database and its roles, as far as the user may: what `vinc db init` does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.errors import DuplicateDatabase, InsufficientPrivilege, UndefinedObject, UniqueViolation
from sqlalchemy.engine import URL, make_url

from vinc_kernel.database.minimum_version import OLDEST
from vinc_kernel.database.roles import Roles
from vinc_kernel.errors import DatabaseError

from .grant_steps import undone
from .role_steps import Step, is_done, steps

MUTEX = 0x726F6C65  # "role" in ASCII: the advisory lock of whoever changes roles
SECONDS_TO_CONNECT = 10
NO_DATABASE, LOGIN_REFUSED = "3D000", frozenset({"28000", "28P01"})


@dataclass(slots=True, kw_only=True)
class Prepared:
    """What `prepare` did, what is left for somebody who may (SQL for psql), and what one should know."""

    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def prepare(admin_url: str, database: str, roles: Roles, passwords: Mapping[str, str]) -> Prepared:
    """Create the database and its roles where they are missing, and grant what they need; again, it changes nothing.

    `passwords` by role are set where the role is new or cannot log in with it. Raises DatabaseError.
    """
    url = make_url(admin_url)
    result = Prepared()
    try:
        if not ensure_database(url, database, result):
            result.left = [to_sql(sql.SQL("create database {}").format(sql.Identifier(database)))]
            result.left += [f"\\connect {sql.Identifier(database).as_string()}"]
            result.left += [to_sql(step.run) for step in steps(roles, database)]
            result.left += [password_command(role) for role in passwords]
            return result
        with connect(url.set(database=database)) as connection:
            DatabaseSetup(connection, url.set(database=database), roles, passwords, result).run()
    except psycopg.Error as error:
        what = str(error).strip().partition("\n")[0]
        raise DatabaseError(f"{describe_server(url)}: {what}; start the server, or correct the address") from error
    return result


@contextmanager
def connect(url: URL) -> Iterator[Connection[Any]]:
    """Open a connection in autocommit that prepares nothing, so that it works behind a pooler too."""
    given = {**url.query, **url.translate_connect_args(username="user", database="dbname")}
    parameters = {"connect_timeout": SECONDS_TO_CONNECT, **given, "autocommit": True, "prepare_threshold": None}
    with psycopg.connect(**parameters) as connection:
        if connection.info.server_version < OLDEST:
            have = connection.info.parameter_status("server_version")
            raise DatabaseError(f"{describe_server(url)}: PostgreSQL {have} is too old; Vinc needs 16 or newer")
        yield connection


def describe_server(url: URL) -> str:
    host = url.host or str(url.query.get("host", "local socket"))
    return f"PostgreSQL at {host}{f':{url.port}' if url.port else ''}/{url.database or ''}"


def to_sql(composed: sql.Composed) -> str:
    return f"{composed.as_string()};"


def password_command(role: str) -> str:
    """Return a command of psql, which shows the password nowhere."""
    return f"\\password {sql.Identifier(role).as_string()}"


def ensure_database(url: URL, database: str, result: Prepared) -> bool:
    """Create the database where it is missing; return False where this user may not."""
    try:
        with connect(url.set(database=database)):
            return True
    except psycopg.OperationalError as error:
        # libpq tells the reason of a refused connection as text alone
        if f'"{database}" does not exist' not in str(error) and error.sqlstate != NO_DATABASE:
            raise
    maintenance = url.database if url.database not in (None, database) else "postgres"
    with connect(url.set(database=maintenance)) as connection:
        try:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(database)))
        except InsufficientPrivilege:
            return False
        except (DuplicateDatabase, UniqueViolation):  # somebody else was faster
            return True
    result.done.append(f"made the database {database}")
    return True


@dataclass(frozen=True, slots=True)
class DatabaseSetup:
    """One run of `vinc db init` on a database that exists."""

    connection: Connection[Any]
    url: URL
    roles: Roles
    passwords: Mapping[str, str]
    result: Prepared

    def run(self) -> None:
        with self.connection.transaction():
            self.connection.execute("select pg_advisory_xact_lock(%s)", (MUTEX,))
            missing = undone(self.connection, self.roles, self.database)
            for step in missing:
                if not is_done(self.connection, step) and self.attempt(step):
                    self.result.done.append(to_sql(step.run))
            left = undone(self.connection, self.roles, self.database)
            new = {role for role in self.passwords for step in missing if step.wrong == f"there is no role {role}"}
            unset = [
                role
                for role in self.passwords
                if (role in new or not self.can_log_in(role)) and not self.set_password(role)
            ]
        self.result.notes += [step.wrong for step in left if step.optional]
        if needed := [step for step in left if not step.optional]:
            self.result.left += [to_sql(step.run) for step in left if step.optional or step in needed]
        self.result.left += [password_command(role) for role in unset]

    @property
    def database(self) -> str:
        return str(self.url.database)

    def attempt(self, step: Step) -> bool:
        """Run one step; False where this user may not, or where an earlier one that was refused is missing."""
        try:
            with self.connection.transaction(), self.as_owner(step):
                self.connection.execute(step.run)
        except (InsufficientPrivilege, UndefinedObject):
            return False
        return True

    @contextmanager
    def as_owner(self, step: Step) -> Iterator[None]:
        """Who makes roles without being a superuser has the right to join them, and no other right of theirs."""
        query = "select pg_has_role(to_regrole(%s)::oid, 'usage')"
        row = self.connection.execute(query, (self.roles.owner,)).fetchone() if step.as_owner else (True,)
        if row and row[0]:
            yield
            return
        names = self.roles.sql_names()
        self.connection.execute(sql.SQL("grant {owner} to current_user with inherit true").format(**names))
        yield
        self.connection.execute(sql.SQL("revoke {owner} from current_user granted by current_user").format(**names))

    def can_log_in(self, role: str) -> bool:
        url = self.url.set(username=role, password=self.passwords[role])
        try:
            with connect(url):
                return True
        except psycopg.OperationalError as error:
            return "authentication failed" not in str(error) and error.sqlstate not in LOGIN_REFUSED

    def set_password(self, role: str) -> bool:
        """Send a password as the verifier that the server would store, never in clear."""
        verifier = self.connection.pgconn.encrypt_password(
            self.passwords[role].encode(), role.encode(), b"scram-sha-256"
        )
        change = sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(verifier.decode()))
        try:
            with self.connection.transaction():
                self.connection.execute(change)
        except (InsufficientPrivilege, UndefinedObject):
            return False
        self.result.done.append(f"set the password of {role}")
        return True
