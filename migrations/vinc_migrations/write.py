"""Write a new revision of one plugin: what its models have and the database has not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from alembic.autogenerate import produce_migrations
from alembic.operations.ops import CreateCheckConstraintOp
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import rev_id
from psycopg import sql
from sqlalchemy import Connection, Table

from vinc_kernel.database.base import Base
from vinc_kernel.database.versions import History
from vinc_kernel.errors import DatabaseError

from .catalog import owners, relations
from .check import compare_checks, compare_context, unvalidated_checks
from .connection import MigrationConnection, MigrationOptions, connect
from .in_use import LATER, Change, change_in_use, changes, comment, key_changes
from .lint import unreadable
from .protection import Protection, protection_differences, protections
from .protection import compare as protect
from .run import TEMPLATES, read_state

NOTHING = "pass"
UNVALIDATED = """
select relname, conname from pg_constraint join pg_class c on c.oid = conrelid
where relnamespace = 'public'::regnamespace and relname = any({names}) and not convalidated order by 1, 2
"""


def write_revision(
    url: str | None, history: History, message: str, *, models: Sequence[type[Base]] = (), options: MigrationOptions
) -> Path:
    """Write the file and return its path; without an address it is empty. Raises DatabaseError for no difference."""
    if broken := unreadable(history):
        raise DatabaseError(broken[0])
    up, down = compare(url, history, models, options) if url else (NOTHING, NOTHING)
    history.versions.mkdir(parents=True, exist_ok=True)
    script = ScriptDirectory(str(TEMPLATES), version_locations=[str(history.versions)], messaging_opts={"quiet": True})
    try:
        revision = script.generate_revision(
            rev_id(), message, head="head", version_path=str(history.versions), upgrades=up, downgrades=down
        )
    except (Exception, SystemExit) as error:  # whatever a file does when it is imported
        what = f"its revisions cannot be loaded: {type(error).__name__}: {error}"
        raise DatabaseError(f"{history.plugin}: {what}; mend them, see vinc db check") from error
    if revision is None:
        raise DatabaseError(f"{history.plugin}: the revision was written and is not found in {history.versions}")
    return Path(revision.path)


def compare(url: str, history: History, models: Sequence[type[Base]], options: MigrationOptions) -> tuple[str, str]:
    with connect(url) as connection:
        state = read_state(connection, history)
        if state.at != state.head:
            raise DatabaseError(f"{history.plugin}: {state}; run vinc db upgrade first")
        db = MigrationConnection(connection, history.plugin, options)
        mine = {str(model.__table__) for model in models} | {
            name for name, plugin in owners(db).items() if plugin == history.plugin
        }
        existing = relations(db)
        context = compare_context(connection, mine)
        metadata = models[0].metadata if models else Base.metadata
        context.opts |= {"sqlalchemy_module_prefix": "sa.", "alembic_module_prefix": "op.", "user_module_prefix": None}
        context.opts["target_metadata"] = metadata
        with unvalidated_checks():
            script = produce_migrations(context, metadata)
        lost, got = key_changes(script, context)
        found = [*validations(db, mine), *lost, *changes(script, context, existing.keys())]
        found += [*check_changes(connection, models, context, existing.keys()), *got]
        protection = list(protection_differences(db, models))
        gone = mine - {str(model.__table__) for model in models}
        again = [one for name, is_now in protections(db, gone).items() for one in protect(name, is_now, Protection())]
    ups, downs = one_transaction(found)
    # What a new table is protected by goes with it, and comes with one that is made again.
    ups, downs = (
        around(ups, [one.upgrade for one in protection]),
        around(
            downs,
            [one.downgrade for one in reversed(protection) if one.table in existing] + [one.upgrade for one in again],
        ),
    )
    if not ups:
        raise DatabaseError(f"{history.plugin}: models and database are equal; --no-autogenerate writes an empty one")
    return body(ups), body(downs)


def one_transaction(found: Sequence[Change]) -> tuple[list[str], list[str]]:
    """Return the code up and down; what stands alone waits for a revision of its own while there is anything else."""
    together = [one for one in found if not one.alone]
    waiting = [one for one in found if one.alone]
    chosen = together or waiting
    ups = [one.up for one in chosen if one.up]
    if together:
        ups += [f"{LATER}\n{comment(one.up)}" for one in waiting]
    return ups, [one.down for one in reversed(chosen) if one.down]


def around(code: Sequence[str], calls: Sequence[str]) -> list[str]:
    """Return the code between calls that take policies away, which hold columns, and all others."""
    first = [call for call in calls if call.startswith("disable_row_level_security")]
    return [*first, *code, *(call for call in calls if call not in first)]


def body(code: Sequence[str]) -> str:
    """Return the body of a function; one of comments alone does nothing."""
    lines = "\n".join(code).splitlines()
    if all(line.startswith("#") for line in lines):
        lines.append(NOTHING)
    return "\n    ".join(lines)


def validations(db: MigrationConnection, mine: Collection[str]) -> Iterator[Change]:
    """Yield what the revision before has left: constraints that do not hold for the rows there were."""
    for table, name in db.execute(UNVALIDATED, {"names": sql.Literal(list(mine))}):
        statement = f'alter table "{table}" validate constraint "{name}"'
        yield Change(f"with bypass_row_level_security():\n    op.execute({statement!r})")


def check_changes(
    connection: Connection, models: Sequence[type[Base]], context: MigrationContext, existing: Collection[str]
) -> Iterator[Change]:
    """Yield changes of check constraints, at which Alembic does not look."""
    for table in (model.__table__ for model in models):
        if isinstance(table, Table) and table.name in existing:
            missing, surplus = compare_checks(connection, table)
            for one in missing.values():
                yield change_in_use(CreateCheckConstraintOp.from_constraint(one), context)
            for name in surplus:
                down = f"# Make the check {name} again here."
                yield Change(f'op.drop_constraint("{name}", "{table.name}", type_="check")', down)
