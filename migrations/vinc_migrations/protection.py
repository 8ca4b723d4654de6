"""What models promise beyond columns: row level security and append-only tables, compared with the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql
from sqlalchemy import Table

from vinc_kernel.database.base import Base, PlatformOwned

from .connection import MigrationConnection
from .grant_steps import table_record

TENANT = "tenant_id"
PROTECTED = """
select relname, relrowsecurity or relforcerowsecurity or exists (select from pg_policy where polrelid = c.oid),
  coalesce(append_only, false), coalesce(blankable, '{{}}')
from pg_class c left join {record} on name = relname
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and relname = any({names})
"""


@dataclass(frozen=True, slots=True)
class Protection:
    """How a table is protected; as its model says, or as the database has it."""

    has_row_level_security: bool = False
    is_append_only: bool = False
    blankable: tuple[str, ...] = ()

    @classmethod
    def of_model(cls, model: type[Base]) -> Protection:
        guarded = issubclass(model, PlatformOwned) or TENANT in model.__table__.c
        return cls(guarded, model.__append_only__, tuple(model.__blankable__))


@dataclass(frozen=True, slots=True)
class ProtectionDifference:
    """A model whose table is protected otherwise, and the operations that would change that."""

    table: str
    what: str
    upgrade: str
    downgrade: str


def protection_differences(db: MigrationConnection, models: Sequence[type[Base]]) -> Iterator[ProtectionDifference]:
    """Yield a difference for each operation that a revision needs; a table that is not there is not protected."""
    tables = {model.__table__.name: model for model in models if isinstance(model.__table__, Table)}
    found = protections(db, tables)
    for name, model in tables.items():
        yield from compare(name, Protection.of_model(model), found.get(name, Protection()))


def protections(db: MigrationConnection, tables: Iterable[str]) -> dict[str, Protection]:
    """Return how the database protects those of these tables that are there."""
    names = {"names": sql.Literal(list(tables)), "record": table_record(db.driver)}
    return {
        name: Protection(guarded, append_only, tuple(blankable))
        for name, guarded, append_only, blankable in db.execute(PROTECTED, names)
    }


def compare(table: str, wanted: Protection, found: Protection) -> Iterator[ProtectionDifference]:
    if wanted.has_row_level_security is not found.has_row_level_security:
        what = "has row level security, its model not" if found.has_row_level_security else "lacks row level security"
        enable, disable = f'enable_row_level_security("{table}")', f'disable_row_level_security("{table}")'
        up, down = (enable, disable) if wanted.has_row_level_security else (disable, enable)
        yield ProtectionDifference(table, what, up, down)
    if (wanted.is_append_only, wanted.blankable) != (found.is_append_only, found.blankable):
        what = f"is {describe(found)}, its model {describe(wanted)}"
        yield ProtectionDifference(table, what, append_only_call(table, wanted), append_only_call(table, found))


def describe(one: Protection) -> str:
    blankable = f", blankable {', '.join(one.blankable)}" if one.blankable else ""
    return f"{'append-only' if one.is_append_only else 'not append-only'}{blankable}"


def append_only_call(table: str, one: Protection) -> str:
    if not one.is_append_only:
        return f'disable_append_only("{table}")'
    names = ", ".join(f'"{column}"' for column in one.blankable)
    return f'enable_append_only("{table}"{f", blankable=[{names}]" if names else ""})'


def broken_promises(models: Sequence[type[Base]]) -> Iterator[str]:
    """Yield what a model promises and cannot keep."""
    for model in models:
        if issubclass(model, PlatformOwned) and TENANT in model.__table__.c:
            yield f"{model.__table__}: the model is the platform's and has {TENANT}; call that column otherwise"
        if model.__blankable__ and not model.__append_only__:
            yield f"{model.__table__}: __blankable__ counts with `__append_only__ = True` only; add that"
