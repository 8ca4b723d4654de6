"""Ground to migrate on: an empty database for each test, with the five roles, and plugins that are only a history."""

import multiprocessing
import textwrap
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection, Connection, sql

from vinc_kernel.database.base import TENANT, Base
from vinc_kernel.database.roles import Roles
from vinc_kernel.database.startup_checks import refuse_unsafe_database
from vinc_kernel.database.versions import History, RevisionState
from vinc_migrations.connection import MigrationOptions
from vinc_migrations.prepare import prepare
from vinc_migrations.run import current, downgrade, upgrade
from vinc_migrations.write import write_revision
from vinc_testing.embedded.process import wait_until
from vinc_testing.servers import Servers, conninfo

from ..bouncer import bouncer

ACME, GLOBEX = UUID("00000000-0000-7000-8000-00000000000a"), UUID("00000000-0000-7000-8000-00000000000b")
HURRIED = MigrationOptions(lock_timeout=0.4, lock_attempts=3, retry_delay=0.1, turn_timeout=20)
HEAD = """
import sqlalchemy as sa
from alembic import op
from vinc_migrations import (
    bypass_row_level_security,
    create_index_concurrently,
    data_migration,
    disable_append_only,
    disable_row_level_security,
    enable_append_only,
    enable_row_level_security,
)

revision = {revision!r}
down_revision = {down!r}
"""
EMPTY = """
select pg_terminate_backend(pid, 5000) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid();
drop schema public cascade;
create schema public
"""


def tenant_table(name: str, *columns: str, protected: bool = True) -> str:
    """The body of an `upgrade` that makes a tenant's table with a text `name` and these columns."""
    more = "".join(f"\n    {column}," for column in columns)
    made = f"""op.create_table(
    {name!r},
    sa.Column("tenant_id", sa.Uuid(), server_default=sa.text({TENANT!r}), nullable=False),
    sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),{more}
    sa.PrimaryKeyConstraint("tenant_id", "id", name={f"pk_{name}"!r}),
)"""
    return made + (f"\nenable_row_level_security({name!r})" if protected else "")


@dataclass
class Ground:
    """One database, its roles, and a folder for plugins."""

    servers: Servers
    name: str
    roles: Roles
    folder: Path
    told: list[str] = field(default_factory=list)

    def url(self, role: str | None = None) -> str:
        """The address as this role; without one as a superuser."""
        return self.servers.database(self.name, role, self.roles.prefix if role else None)

    def environ(self, manifest: Path) -> dict[str, str]:
        """The settings of an installation on it."""
        return {
            "VINC_ENV": "test",
            "VINC_DATABASE_URL": self.url(self.roles.app),
            "VINC_DATABASE_MIGRATION_URL": self.url(self.roles.migrator),
            "VINC_DATABASE_ROLE_PREFIX": self.roles.prefix,
            "VINC_PLUGINS_FILE": str(manifest),
        }

    def connect(self, role: str | None = None) -> Connection[Any]:
        return psycopg.connect(conninfo(self.url(role)), autocommit=True)

    def rows(self, query: str, role: str | None = None) -> list[tuple[Any, ...]]:
        with self.connect(role) as connection:
            return connection.execute(query.encode()).fetchall()

    def do(self, statement: str) -> None:
        with self.connect() as connection:
            connection.execute(statement.encode())

    def plugin(self, name: str, *revisions: str | tuple[str, str]) -> History:
        """A history of these revisions: the body of `upgrade`, or the bodies of `upgrade` and `downgrade`."""
        history = History(name, self.folder / name / "migrations")
        history.versions.mkdir(parents=True, exist_ok=True)
        for body in revisions:
            self.add(history, body)
        return history

    def written(self, name: str, model: type[Base]) -> History:
        """A history whose only revision was written from the model, and that was run."""
        history = self.plugin(name)
        write_revision(self.url(self.roles.migrator), history, "Make it", models=[model], options=self.options)
        self.up(history)
        return history

    def add(self, history: History, body: str | tuple[str, str]) -> str:
        number = len(list(history.versions.glob("*.py")))
        up, down = (body, "pass") if isinstance(body, str) else body
        revision = f"{history.plugin}{number + 1}"
        functions = "".join(
            f"\n\ndef {verb}() -> None:\n{textwrap.indent(code, '    ')}\n"
            for verb, code in (("upgrade", up), ("downgrade", down))
        )
        head = HEAD.format(revision=revision, down=f"{history.plugin}{number}" if number else None)
        (history.versions / f"{revision}.py").write_text(f'"""Step {number + 1}."""\n{head}{functions}')
        return revision

    @property
    def options(self) -> MigrationOptions:
        return replace(HURRIED, roles=self.roles, report=self.told.append)

    def up(self, *histories: History, target: str = "heads", role: str | None = None) -> None:
        upgrade(self.url(role or self.roles.migrator), histories, self.options, target=target)

    def down(self, history: History, target: str = "base") -> None:
        downgrade(self.url(self.roles.migrator), history, self.options, target=target)

    def current(self, *histories: History) -> dict[str, str | None]:
        found: Sequence[RevisionState] = current(self.url(self.roles.app), histories)
        return {state.plugin: state.at for state in found}

    async def start(self, role: str | None = None, *, production: bool = True) -> None:
        """Check what a start checks, as the application's role or another one."""
        url = conninfo(self.url(role or self.roles.app))
        async with await AsyncConnection.connect(url, autocommit=True) as connection:
            await refuse_unsafe_database(connection, self.roles, production=production)

    def start_upgrade(self, history: History, url: str | None = None) -> ForkServerProcess:
        """The same in a process of its own."""
        made = processes().Process(
            target=upgrade, args=(url or self.url(self.roles.migrator), [history], MigrationOptions(roles=self.roles))
        )
        made.start()
        return made

    def fill(self, table: str, *, each: int = 2) -> None:
        """So many rows for each of two tenants, behind everybody's back."""
        with self.connect() as connection:
            for tenant in (ACME, GLOBEX):
                add = sql.SQL("insert into {} (tenant_id, name) select %s, 'n' || n from generate_series(1, %s) n")
                connection.execute(add.format(sql.Identifier(table)), (tenant, each))


def processes() -> ForkServerContext:
    """Processes that have imported what they need: to start one takes milliseconds, and it shares nothing with us."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["vinc_migrations.run"])
    return context


@pytest.fixture(scope="session")
def ground_roles(vinc_servers: Servers, worker_id: str) -> Roles:
    """The roles of this worker's, and a database of the same name; making one takes half a second."""
    roles = Roles(f"{vinc_servers.prefix}_{worker_id}_g")
    passwords = dict.fromkeys((roles.app, roles.migrator, roles.backup), roles.prefix)
    prepare(vinc_servers.postgres, roles.prefix, roles, passwords)
    return roles


@pytest.fixture
def ground(vinc_servers: Servers, ground_roles: Roles, tmp_path: Path) -> Ground:
    """A database with roles and grants, and nothing in it."""
    made = Ground(vinc_servers, ground_roles.prefix, ground_roles, tmp_path)
    with made.connect() as connection:
        connection.execute(EMPTY)
    prepare(vinc_servers.postgres, made.name, ground_roles, {})
    return made


@pytest.fixture
def pooled(ground: Ground) -> Generator[str]:
    """The migrator's address through PgBouncer in transaction mode."""
    with bouncer(ground.url(ground.roles.migrator), connections=4) as address:
        yield address


def wait_for(condition: Any, seconds: float = 15) -> None:
    """Return when it holds; fail when it does not within so many seconds."""
    assert wait_until(condition, seconds)
