"""Write a new revision of one plugin: what its models have and the database has not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.operations.ops import DowngradeOps, UpgradeOps
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import rev_id

from vinc_kernel.database.base import Base
from vinc_kernel.database.versions import History
from vinc_kernel.errors import DatabaseError

from .catalog import owners, relations
from .check import compare_context
from .connection import MigrationConnection, MigrationOptions, connect
from .protection import protection_differences
from .run import TEMPLATES, read_state

NOTHING = "pass"


def write_revision(
    url: str | None, history: History, message: str, *, models: Sequence[type[Base]] = (), options: MigrationOptions
) -> Path:
    """Write the file and return its path; without an address it is empty. Raises DatabaseError for no difference."""
    up, down = compare(url, history, models, options) if url else (NOTHING, NOTHING)
    history.versions.mkdir(parents=True, exist_ok=True)
    script = ScriptDirectory(str(TEMPLATES), version_locations=[str(history.versions)], messaging_opts={"quiet": True})
    revision = script.generate_revision(
        rev_id(), message, head="head", version_path=str(history.versions), upgrades=up, downgrades=down
    )
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
        protection = list(protection_differences(db, models)) if models else []
        existing = relations(db)
        context = compare_context(connection, mine)
        context.opts |= {"sqlalchemy_module_prefix": "sa.", "alembic_module_prefix": "op.", "user_module_prefix": None}
        script = produce_migrations(context, models[0].metadata if models else Base.metadata)
        up, down = (render(operations, context) for operations in (script.upgrade_ops, script.downgrade_ops))
    # What a new table is protected by goes with it.
    ups = [*up, *(one.upgrade for one in protection)]
    downs = [*(one.downgrade for one in reversed(protection) if one.table in existing), *down]
    if not ups:
        raise DatabaseError(f"{history.plugin}: models and database are equal; --no-autogenerate writes an empty one")
    return "\n    ".join(ups), "\n    ".join(downs)


def render(operations: UpgradeOps | DowngradeOps | None, context: MigrationContext) -> list[str]:
    """Return the code without Alembic's remarks about itself; empty for no operations."""
    if operations is None or operations.is_empty():
        return []
    lines = render_python_code(operations, migration_context=context).splitlines()
    return ["\n".join(line for line in lines if "# ###" not in line).strip()]
