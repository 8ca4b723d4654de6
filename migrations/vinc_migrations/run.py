"""Run the kernel's history and then each plugin's, in order: one transaction a revision, each with a version table."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from vinc_kernel.database.catalog_checks import Finding
from vinc_kernel.database.versions import KERNEL, History, RevisionState, revisions
from vinc_kernel.errors import DatabaseError

from .catalog import catalog_findings, create_version_table, owners, record, relations
from .connection import (
    CONTENDED,
    Busy,
    MigrationConnection,
    MigrationOptions,
    connect,
    exclusive_transaction,
    postgres_message,
    sqlstate,
)
from .find import KERNEL_HISTORY
from .grant_steps import table_steps
from .lint import GRANT_HINT, changes_grants

TEMPLATES = Path(__file__).parent
BASE, HEADS = "base", "heads"
CUT_SHORT = "42501"  # insufficient_privilege, which `row_security = off` raises too
READY = """
select current_user::text, to_regrole({owner_}) is not null
  and (rolsuper or pg_has_role(oid, to_regrole({owner_})::oid, 'set'))
from pg_roles where rolname = current_user
"""


def upgrade(
    url: str,
    histories: Sequence[History],
    options: MigrationOptions,
    *,
    target: str = HEADS,
    needs: Mapping[str, Collection[str]] | None = None,
) -> None:
    """Bring the kernel's tables to their newest revision, then each plugin's to that or to `target`, in this order.

    A plugin that fails holds up those that need it, as `needs` says, and no others. Raises DatabaseError with a line
    for each; what worked stays, and running again goes on where each stopped.
    """
    with connect(url) as connection:
        require_roles(connection, options)
        if KERNEL_HISTORY not in histories:
            run_history(MigrationConnection(connection, KERNEL, options), KERNEL_HISTORY, HEADS, is_upgrade=True)
        failed: dict[str, str] = {}
        for history in histories:
            if missing := sorted(failed.keys() & set((needs or {}).get(history.plugin, ()))):
                failed[history.plugin] = f"{history.plugin}: it needs {', '.join(missing)}, so it was left as it is"
                continue
            try:
                run_history(MigrationConnection(connection, history.plugin, options), history, target, is_upgrade=True)
            except DatabaseError as error:
                if history.plugin == KERNEL or connection.closed or connection.invalidated or isinstance(error, Busy):
                    raise  # the others would fail in the same way
                failed[history.plugin] = str(error)
        if failed:
            raise DatabaseError("\n".join(failed.values()))


def downgrade(url: str, history: History, options: MigrationOptions, *, target: str) -> None:
    """Take one plugin's tables back to a revision, or to `base`; raises DatabaseError with plugin and revision."""
    if history.plugin == KERNEL:
        raise DatabaseError(f"{KERNEL}: its tables cannot be taken back, since every plugin's are recorded there")
    with connect(url) as connection:
        require_roles(connection, options)
        run_history(MigrationConnection(connection, history.plugin, options), history, target, is_upgrade=False)


def current(url: str, histories: Sequence[History]) -> list[RevisionState]:
    with connect(url) as connection:
        return [read_state(connection, history) for history in histories]


def require_roles(connection: Connection, options: MigrationOptions) -> None:
    """Raise DatabaseError unless this user may act as the owner of the tables."""
    user, is_ready = MigrationConnection(connection, "", options).execute(READY)[0]
    connection.rollback()
    if not is_ready:
        cure = f"run vinc db init, and name {options.roles.migrator} in VINC_DATABASE_MIGRATION_URL"
        raise DatabaseError(f"{user} is not a member of {options.roles.owner}: {cure}")


def read_state(connection: Connection, history: History) -> RevisionState:
    exists = connection.exec_driver_sql("select to_regclass(%s) is not null", (f"public.{history.table}",)).scalar_one()
    query = f"select version_num from public.{history.table}"  # noqa: S608  a plugin's name is a word, see plugins/find
    at = connection.exec_driver_sql(query).scalar_one_or_none() if exists else None
    return RevisionState(plugin=history.plugin, at=at, revisions=revisions(history))


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """The revisions of one history, and the one to go to."""

    history: History
    scripts: ScriptDirectory
    target: str
    is_upgrade: bool


def run_history(db: MigrationConnection, history: History, target: str, *, is_upgrade: bool) -> None:
    """Go to the target, one revision at a time; each reads the database's state, as others may migrate it too."""
    if not history.plugin.isalnum():
        raise DatabaseError(f"{history.plugin!r} is no plugin's name; it is of the form [a-z][a-z0-9]*")
    scripts = ScriptDirectory(str(TEMPLATES), version_locations=[str(history.versions)])
    plan = MigrationPlan(history, scripts, target, is_upgrade)
    while run_step(db, plan):
        pass


def run_step(db: MigrationConnection, plan: MigrationPlan) -> bool:
    """Run one revision, again where a lock could not be had; return False when there is none left."""
    options = db.options
    for attempt in range(1, options.lock_attempts + 1):
        try:
            return run_next(db, plan)
        except RevisionFailed as failed:
            if not failed.is_contended or attempt == options.lock_attempts:
                raise
            options.report(f"{failed.title_line}; attempt {attempt + 1} of {options.lock_attempts}")
            time.sleep(options.retry_delay)
    return False


def run_next(db: MigrationConnection, plan: MigrationPlan) -> bool:
    revision = ""
    try:
        with exclusive_transaction(db):
            create_version_table(db, plan.history.table)
            revision = next_revision(read_state(db.connection, plan.history), plan)
            if not revision:
                regrant(db)
                return False
            line = run_revision(db, plan, revision)
    except (DBAPIError, psycopg.Error) as error:
        raise RevisionFailed(db.plugin, revision, error) from error
    db.options.report(line)
    return True


def next_revision(state: RevisionState, plan: MigrationPlan) -> str:
    """Return the revision to run; empty at the target. Raises DatabaseError for a target in the other direction."""
    order = state.revisions
    if not state.is_known:
        what = f"the database is at {state.at}, which is not in {plan.history.versions}"
        raise DatabaseError(f"{state.plugin}: {what}; install the version of the plugin that has migrated it")
    aim = {HEADS: len(order) - 1, "head": len(order) - 1, BASE: -1}.get(plan.target)
    if aim is None:
        fits = [index for index, revision in enumerate(order) if revision.startswith(plan.target)]
        if len(fits) != 1:
            what = "more than one revision begins" if fits else "no revision begins"
            raise DatabaseError(
                f"{state.plugin}: {what} with {plan.target!r}; see vinc db history --plugin {state.plugin}"
            )
        aim = fits[0]
    at = order.index(state.at) if state.at else -1
    if at == aim:
        return ""
    if (at < aim) is not plan.is_upgrade:
        verb = "downgrade" if plan.is_upgrade else "upgrade"
        raise DatabaseError(
            f"{state.plugin}: {plan.target} is the other way from {state.at or BASE}; use vinc db {verb}"
        )
    return order[at + 1] if plan.is_upgrade else order[at]


def run_revision(db: MigrationConnection, plan: MigrationPlan, revision: str) -> str:
    """Run one revision up or down inside the open transaction, and check what it did; return the line to report."""
    script = get_script(plan, revision)
    make = MigrationStep.upgrade_from_script if plan.is_upgrade else MigrationStep.downgrade_from_script
    steps: list[Any] = [make(plan.scripts.revision_map, script)]
    options = {"fn": lambda _heads, _context: steps, "vinc": db, "version_table": plan.history.table}
    context = MigrationContext.configure(db.connection, opts={**options, "version_table_schema": "public"})
    try:
        with record_and_check(db), refusing_grants(db.connection), Operations.context(context):
            context.run_migrations()
    except (Exception, SystemExit) as error:
        raise RevisionFailed(db.plugin, f"{revision} ({Path(script.path).name})", error) from error
    down = str(script.down_revision or BASE)
    start, end = (down, revision) if plan.is_upgrade else (revision, down)
    return f"{db.plugin}: {start} -> {end} {script.doc}"


def get_script(plan: MigrationPlan, revision: str) -> Script:
    try:
        script = plan.scripts.get_revision(revision)
    except (Exception, SystemExit) as error:  # whatever a file does when it is imported
        raise RevisionFailed(plan.history.plugin, revision, error) from error
    if script is None:
        raise DatabaseError(f"{plan.history.plugin}: {plan.history.versions} has no revision {revision}")
    return script


@contextmanager
def record_and_check(db: MigrationConnection) -> Iterator[None]:
    """Record and check what a plugin's revision does, up or down; the kernel's first ones make the record."""
    if db.plugin == KERNEL:
        yield
        return
    before, known = relations(db), frozenset(catalog_findings(db))
    yield
    record(db, before)
    regrant(db)
    refuse_findings(db, known)


@contextmanager
def refusing_grants(connection: Connection) -> Iterator[None]:
    """Raise DatabaseError for a statement that grants or revokes."""

    def refuse(_c: object, _cursor: object, statement: str, _p: object, _x: object, _many: bool) -> None:  # noqa: FBT001  SQLAlchemy's
        if changes_grants(statement):
            raise DatabaseError(f"it runs {' '.join(statement.split())[:40]!r}; {GRANT_HINT}")

    event.listen(connection, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        event.remove(connection, "before_cursor_execute", refuse)


def regrant(db: MigrationConnection) -> None:
    """Grant what every table allows; partitions were granted by default, and must not be."""
    for step in table_steps(db.driver, db.roles):
        db.driver.execute(step.run)


def refuse_findings(db: MigrationConnection, before: Collection[Finding]) -> None:
    """Raise DatabaseError for a finding of the plugin's own tables, and for one that is new."""
    mine = {name for name, plugin in owners(db).items() if plugin == db.plugin}
    if found := [one for one in catalog_findings(db) if one.table in mine or one not in before]:
        raise DatabaseError(str(found[0]))


class RevisionFailed(DatabaseError):
    """A revision failed; its plugin stays at the one before."""

    def __init__(self, plugin: str, revision: str, cause: BaseException) -> None:
        what = postgres_message(cause)
        kind = "" if isinstance(cause, DatabaseError | DBAPIError) else f"{type(cause).__name__}: "
        state = sqlstate(cause)
        self.is_contended = state in CONTENDED
        self.title_line = f"{plugin}: {f'revision {revision}: ' if revision else ''}{kind}{what}"
        super().__init__(f"{self.title_line}{cure_of(state, what)}")


def cure_of(state: str | None, what: str) -> str:
    if state in CONTENDED:
        return "; somebody holds the table, see pg_stat_activity for long transactions, then run it again"
    if state == CUT_SHORT and "row-level security" in what:
        return "; put it into `with data_migration(expect=n):`, constraints into `with bypass_row_level_security():`"
    return ""
