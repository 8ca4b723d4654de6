"""Which tables are behind their code, without Alembic: a worker that starts does not pay for it.

Each plugin has its own linear history, a folder of revisions, and its own version table. A plugin's name has no
underscore, so that `vinc_version_user` and `vinc_version_users` are nobody else's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.errors import InsufficientPrivilege

from ..errors import DatabaseError

# The history of the kernel's own tables is in vinc_migrations, which a serving process does without; no plugin can
# have this name, which is reserved.
KERNEL = "kernel"
KERNEL_REVISIONS = ("a4c07d5e91b2", "e83b19f6c0d4")
REVISION = re.compile(r"""^revision\s*(?::[^=\n]+)?=\s*["']([^"'\n]+)["']""", re.MULTILINE)
DOWN_REVISION = re.compile(r"""^down_revision\s*(?::[^=\n]+)?=\s*(?:None\b|["']([^"'\n]+)["'])""", re.MULTILINE)
LONGEST = 32  # characters of a revision in Alembic's version table
EXISTING = "select relname from pg_class where relnamespace = 'public'::regnamespace and relname = any(%s)"


def version_table(plugin: str) -> str:
    """Return the name of the table that holds the current revision of a plugin's history."""
    return f"vinc_version_{plugin}"


@dataclass(frozen=True, slots=True)
class History:
    """The revisions of one plugin; `directory` contains the folder `versions`."""

    plugin: str
    directory: Path

    @property
    def versions(self) -> Path:
        return self.directory / "versions"

    @property
    def table(self) -> str:
        return version_table(self.plugin)


class BrokenHistory(DatabaseError):
    """A plugin's revisions are not one line."""

    def __init__(self, history: History, where: Path, what: str, cure: str) -> None:
        super().__init__(f"{history.plugin}: {what} ({where}); {cure}")
        self.what, self.where, self.cure = what, str(where), cure


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionState:
    """The current revision of a history in the database; `at` None is before the first."""

    plugin: str
    at: str | None
    revisions: tuple[str, ...]

    @property
    def head(self) -> str | None:
        return self.revisions[-1] if self.revisions else None

    @property
    def is_known(self) -> bool:
        """False when a newer version of the plugin has migrated this database."""
        return self.at is None or self.at in self.revisions

    @property
    def is_behind(self) -> bool:
        return self.is_known and self.at != self.head

    def __str__(self) -> str:
        return f"the database is at {self.at or 'base'}, not at {self.head}"


def history_of(plugin: str, package: str) -> History | None:
    """Return the history in a plugin's package, without importing its modules; None when it has none."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        history = History(plugin, Path(folder) / "migrations")
        if history.versions.is_dir():
            return history
    return None


def revisions(history: History) -> tuple[str, ...]:
    """Return all revisions from the first to the head; raises DatabaseError where they are not one line."""
    after: dict[str | None, str] = {}
    for file in sorted(history.versions.glob("*.py")):
        try:
            text = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            what = f"the revision cannot be read as UTF-8: {error}"
            raise BrokenHistory(history, file, what, "save it as UTF-8") from None
        this, down = REVISION.search(text), DOWN_REVISION.search(text)
        if this is None or down is None:
            what = "has no `revision = ` or `down_revision = `"
            raise BrokenHistory(history, file, what, "write both as plain strings")
        if len(this[1]) > LONGEST:
            raise BrokenHistory(history, file, f"revision {this[1]} has more than {LONGEST} characters", "shorten it")
        if down[1] in after:
            twin = f"and {after[down[1]]} both follow {down[1] or 'the beginning'}"
            raise BrokenHistory(history, file, f"revision {this[1]} {twin}", "let one follow the other")
        after[down[1]] = this[1]
    line: list[str] = []
    while (following := after.pop(line[-1] if line else None, None)) is not None:
        line.append(following)
    if after:
        what = f"revision {min(after.values())} is not reached from the first"
        raise BrokenHistory(history, history.versions, what, "correct its down_revision")
    return tuple(line)


async def read_states(
    connection: AsyncConnection[Any], histories: Mapping[str, tuple[str, ...]]
) -> list[RevisionState]:
    """Read the current revision of each history, given its revisions by plugin; two statements in all."""
    tables = {version_table(plugin): plugin for plugin in histories}
    cursor = await connection.execute(EXISTING, (list(tables),))
    existing = sorted(str(row[0]) for row in await cursor.fetchall())
    found: dict[str, str] = {}
    if existing:
        try:
            cursor = await connection.execute(sql.SQL(" union all ").join(map(select_version, existing)))
        except InsufficientPrivilege as error:
            what = f"the role {connection.info.user} may not read the version tables ({error.diag.message_primary})"
            cure = "correct VINC_DATABASE_URL, which takes the role for the application, or run: vinc db init"
            raise DatabaseError(f"{what}; {cure}") from None
        found = {tables[table]: str(version) for table, version in await cursor.fetchall()}
    return [RevisionState(plugin=plugin, at=found.get(plugin), revisions=line) for plugin, line in histories.items()]


def select_version(table: str) -> sql.Composed:
    return sql.SQL("select {}::text, version_num from public.{}").format(sql.Literal(table), sql.Identifier(table))
