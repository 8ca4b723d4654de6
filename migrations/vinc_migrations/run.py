"""Run every plugin's own history, in the given order: one transaction a revision, each with its own version table."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import Script, ScriptDirectory
from psycopg import Connection as Line
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from vinc_kernel.database.catalog_checks import Flaw
from vinc_kernel.database.versions import History, Place, revisions
from vinc_kernel.errors import DatabaseError

from .catalog import ensure, flaws, has_kernel_tables, make_kernel_tables, owners, record, relations
from .grant_steps import table_steps
from .unit import CONTENDED, How, Unit, alone, connected, reason, sqlstate

TEMPLATES = Path(__file__).parent
BASE, HEADS = "base", "heads"
KERNEL = "kernel"  # who migrates where it is no plugin
CUT_SHORT = "42501"  # insufficient_privilege, which `row_security = off` raises too
READY = """
select current_user::text, to_regrole({owner_}) is not null
  and (rolsuper or pg_has_role(oid, to_regrole({owner_})::oid, 'set'))
from pg_roles where rolname = current_user
"""


def upgrade(url: str, histories: Sequence[History], how: How, *, target: str = HEADS) -> None:
    """Bring each plugin's tables to its newest revision, or to `target`, in the given order.

    Raises DatabaseError with plugin and revision; what came before it stays, and running again goes on there.
    """
    with connected(url) as connection:
        require_roles(connection, how)
        prepare_kernel(Unit(connection, KERNEL, how))
        for history in histories:
            walk(Unit(connection, history.plugin, how), history, target, is_upgrade=True)


def downgrade(url: str, history: History, how: How, *, target: str) -> None:
    """Take one plugin's tables back to a revision, or to `base`; raises DatabaseError with plugin and revision."""
    with connected(url) as connection:
        require_roles(connection, how)
        walk(Unit(connection, history.plugin, how), history, target, is_upgrade=False)


def prepare_kernel(unit: Unit) -> None:
    """Make the kernel's own tables, also in a database that an older version has made."""
    there = has_kernel_tables(unit)
    unit.connection.rollback()
    if not there:
        try:
            with alone(unit):
                make_kernel_tables(unit)
                regrant(unit)
        except (DBAPIError, psycopg.Error) as error:
            raise Refused(unit.plugin, "", error) from error


def current(url: str, histories: Sequence[History]) -> list[Place]:
    """Where the database stands in each history."""
    with connected(url) as connection:
        return [place_of(connection, history) for history in histories]


def require_roles(connection: Connection, how: How) -> None:
    """Raise DatabaseError unless this user may act as the owner of the tables."""
    user, is_ready = Unit(connection, "", how).run(READY)[0]
    connection.rollback()
    if not is_ready:
        cure = f"run vinc db init, and name {how.roles.migrator} in VINC_DATABASE_MIGRATION_URL"
        raise DatabaseError(f"{user} is not a member of {how.roles.owner}: {cure}")


def place_of(connection: Connection, history: History) -> Place:
    there = connection.exec_driver_sql("select to_regclass(%s) is not null", (f"public.{history.table}",)).scalar_one()
    query = f"select version_num from public.{history.table}"  # noqa: S608  a plugin's name is a word, see plugins/find
    at = connection.exec_driver_sql(query).scalar_one_or_none() if there else None
    return Place(plugin=history.plugin, at=at, revisions=revisions(history))


def walk(unit: Unit, history: History, target: str, *, is_upgrade: bool) -> None:
    """Go to the target step by step; each looks anew where the database stands, as others may be at it too."""
    if not history.plugin.isalnum():
        raise DatabaseError(f"{history.plugin!r} is no plugin's name; it is of the form [a-z][a-z0-9]*")
    scripts = ScriptDirectory(str(TEMPLATES), version_locations=[str(history.versions)])
    way = Way(history, scripts, target, is_upgrade)
    while step_with_patience(unit, way):
        pass


@dataclass(frozen=True, slots=True)
class Way:
    """One plugin's revisions, and where among them to go."""

    history: History
    scripts: ScriptDirectory
    target: str
    is_upgrade: bool


def step_with_patience(unit: Unit, way: Way) -> bool:
    """Take one step, again where a lock was not to be had; False when there is none left."""
    patience = unit.how.patience
    for attempt in range(1, patience.attempts + 1):
        try:
            return step(unit, way)
        except Refused as refused:
            if not refused.is_contended or attempt == patience.attempts:
                raise
            unit.how.tell(f"{refused.title_line}; attempt {attempt + 1} of {patience.attempts}")
            time.sleep(patience.seconds_between)
    return False


def step(unit: Unit, way: Way) -> bool:
    revision = ""
    try:
        with alone(unit):
            ensure(unit, way.history.table)
            revision = next_revision(place_of(unit.connection, way.history), way)
            if not revision:
                regrant(unit)
                return False
            line = run_revision(unit, way, revision)
    except (DBAPIError, psycopg.Error) as error:
        raise Refused(unit.plugin, revision, error) from error
    unit.how.tell(line)
    return True


def next_revision(place: Place, way: Way) -> str:
    """The revision to run next; empty at the target. Raises DatabaseError for a target in the other direction."""
    line = place.revisions
    if not place.is_known:
        what = f"the database is at {place.at}, which is not in {way.history.versions}"
        raise DatabaseError(f"{place.plugin}: {what}; install the version of the plugin that has migrated it")
    aim = {HEADS: len(line) - 1, "head": len(line) - 1, BASE: -1}.get(way.target)
    if aim is None:
        fits = [index for index, revision in enumerate(line) if revision.startswith(way.target)]
        if len(fits) != 1:
            what = "more than one revision begins" if fits else "no revision begins"
            raise DatabaseError(
                f"{place.plugin}: {what} with {way.target!r}; see vinc db history --plugin {place.plugin}"
            )
        aim = fits[0]
    at = line.index(place.at) if place.at else -1
    if at == aim:
        return ""
    if (at < aim) is not way.is_upgrade:
        verb = "downgrade" if way.is_upgrade else "upgrade"
        raise DatabaseError(
            f"{place.plugin}: {way.target} is the other way from {place.at or BASE}; use vinc db {verb}"
        )
    return line[at + 1] if way.is_upgrade else line[at]


def run_revision(unit: Unit, way: Way, revision: str) -> str:
    """Run one revision up or down inside the transaction that stands, and check what it did; return what to tell."""
    found = script_of(way, revision)
    make = MigrationStep.upgrade_from_script if way.is_upgrade else MigrationStep.downgrade_from_script
    taken: list[Any] = [make(way.scripts.revision_map, found)]
    options = {"fn": lambda _heads, _context: taken, "vinc": unit, "version_table": way.history.table}
    context = MigrationContext.configure(unit.connection, opts={**options, "version_table_schema": "public"})
    before, flawed = relations(unit), frozenset(flaws(unit))
    try:
        with Operations.context(context):
            context.run_migrations()
        record(unit, before)
        regrant(unit)
        if way.is_upgrade:
            refuse_flaws(unit, flawed)
    except Exception as error:
        raise Refused(unit.plugin, f"{revision} ({Path(found.path).name})", error) from error
    down = str(found.down_revision or BASE)
    start, end = (down, revision) if way.is_upgrade else (revision, down)
    return f"{unit.plugin}: {start} -> {end} {found.doc}"


def script_of(way: Way, revision: str) -> Script:
    try:
        found = way.scripts.get_revision(revision)
    except Exception as error:
        raise Refused(way.history.plugin, revision, error) from error
    if found is None:
        raise DatabaseError(f"{way.history.plugin}: {way.history.versions} has no revision {revision}")
    return found


def regrant(unit: Unit) -> None:
    """Grant what roles.py says on whatever is there by now; partitions were granted by default, and must not be."""
    driver = unit.connection.connection.driver_connection
    if isinstance(driver, Line):
        for each in table_steps(driver, unit.roles):
            driver.execute(each.run)


def refuse_flaws(unit: Unit, before: Collection[Flaw]) -> None:
    """Raise DatabaseError for a flaw of the plugin's own tables, and for one that was not there before."""
    mine = {name for name, plugin in owners(unit).items() if plugin == unit.plugin}
    if found := [flaw for flaw in flaws(unit) if flaw.table in mine or flaw not in before]:
        raise DatabaseError(str(found[0]))


class Refused(DatabaseError):
    """A revision failed; its plugin stays at the one before."""

    def __init__(self, plugin: str, revision: str, cause: Exception) -> None:
        what = reason(cause)
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
