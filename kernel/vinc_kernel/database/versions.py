"""Which plugins' tables are behind, told without Alembic: a worker that starts does not pay for it.

Each plugin has its own linear history, a folder of revisions, and its own version table. A plugin's name has no
underscore, so that `vinc_version_user` and `vinc_version_users` are nobody else's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.errors import InsufficientPrivilege

from ..errors import DatabaseError

REVISION = re.compile(r"""^revision\s*(?::[^=\n]+)?=\s*["']([^"'\n]+)["']""", re.MULTILINE)
DOWN_REVISION = re.compile(r"""^down_revision\s*(?::[^=\n]+)?=\s*(?:None\b|["']([^"'\n]+)["'])""", re.MULTILINE)
LONGEST = 32  # characters of a revision in Alembic's version table
EXISTING = "select relname from pg_class where relnamespace = 'public'::regnamespace and relname = any(%s)"


def version_table(plugin: str) -> str:
    """Where it stands in the database how far a plugin's history has been run."""
    return f"vinc_version_{plugin}"


@dataclass(frozen=True, slots=True)
class History:
    """The revisions of one plugin, and the folder that `versions/` is in."""

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
class Place:
    """Where the database stands in a plugin's history: `at` None is before its beginning."""

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


def history_of(plugin: str, package: str) -> History | None:
    """The history in a plugin's package, found without importing its modules; None when it has none."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        history = History(plugin, Path(folder) / "migrations")
        if history.versions.is_dir():
            return history
    return None


def revisions(history: History) -> tuple[str, ...]:
    """All revisions from the first to the head; raises DatabaseError where they are not one line."""
    after: dict[str | None, str] = {}
    for file in sorted(history.versions.glob("*.py")):
        text = file.read_text("utf-8")
        this, down = REVISION.search(text), DOWN_REVISION.search(text)
        if this is None or down is None:
            raise BrokenHistory(
                history, file, "has no `revision = ` or `down_revision = `", "write both as plain strings"
            )
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
        lost = min(after.values())
        raise BrokenHistory(
            history, history.versions, f"revision {lost} is not reached from the first", "mend down_revision"
        )
    return tuple(line)


async def places(connection: AsyncConnection[Any], histories: Iterable[History]) -> list[Place]:
    """Where the database stands in each history; two statements, whatever their number."""
    given = list(histories)
    cursor = await connection.execute(EXISTING, ([history.table for history in given],))
    tables = {str(row[0]) for row in await cursor.fetchall()}
    found: dict[str, str] = {}
    if tables:
        try:
            cursor = await connection.execute(read_all(sorted(tables)))
        except InsufficientPrivilege as error:
            raise not_allowed(connection, error) from None
        found = {str(table): str(version) for table, version in await cursor.fetchall()}
    return [Place(plugin=one.plugin, at=found.get(one.table), revisions=revisions(one)) for one in given]


def not_allowed(connection: AsyncConnection[Any], error: InsufficientPrivilege) -> DatabaseError:
    what = f"the role {connection.info.user} may not read the version tables ({error.diag.message_primary})"
    return DatabaseError(
        f"{what}; correct VINC_DATABASE_URL, which takes the role for the application, or run: vinc db init"
    )


def read_all(tables: Iterable[str]) -> sql.Composed:
    one = "select {}::text, version_num from public.{}"
    return sql.SQL(" union all ").join(
        sql.SQL(one).format(sql.Literal(table), sql.Identifier(table)) for table in tables
    )


async def behind(connection: AsyncConnection[Any], histories: Iterable[History]) -> list[Place]:
    """The plugins whose tables are older than their code, in the given order."""
    return [place for place in await places(connection, histories) if place.is_behind]
