"""Write a new revision of one plugin: what its models have and the database has not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.operations.ops import CreateTableOp, DowngradeOps, UpgradeOps
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import rev_id

from vinc_kernel.database.base import Base
from vinc_kernel.database.versions import History
from vinc_kernel.errors import DatabaseError

from .catalog import owners
from .check import comparing
from .run import TEMPLATES, place_of
from .unit import How, Unit, connected

NOTHING = "pass"


def write_revision(
    url: str | None, history: History, message: str, *, models: Sequence[type[Base]] = (), how: How
) -> Path:
    """Write the file and return its path; without an address it is empty. Raises DatabaseError for no difference."""
    up, down = compared(url, history, models, how) if url else (NOTHING, NOTHING)
    history.versions.mkdir(parents=True, exist_ok=True)
    script = ScriptDirectory(str(TEMPLATES), version_locations=[str(history.versions)], messaging_opts={"quiet": True})
    made = script.generate_revision(
        rev_id(), message, head="head", version_path=str(history.versions), upgrades=up, downgrades=down
    )
    if made is None:
        raise DatabaseError(f"{history.plugin}: the revision was written and is not found in {history.versions}")
    return Path(made.path)


def compared(url: str, history: History, models: Sequence[type[Base]], how: How) -> tuple[str, str]:
    """The bodies of `upgrade` and `downgrade`."""
    with connected(url) as connection:
        place = place_of(connection, history)
        if place.at != place.head:
            at = f"the database is at {place.at or 'base'}, not at {place.head}"
            raise DatabaseError(f"{history.plugin}: {at}; run vinc db upgrade first")
        known = owners(Unit(connection, history.plugin, how))
        mine = {str(model.__tablename__) for model in models} | {
            name for name, plugin in known.items() if plugin == history.plugin
        }
        context = comparing(connection, mine)
        context.opts |= {"sqlalchemy_module_prefix": "sa.", "alembic_module_prefix": "op.", "user_module_prefix": None}
        made = produce_migrations(context, models[0].metadata if models else Base.metadata)
    if made.upgrade_ops is None or made.upgrade_ops.is_empty() or made.downgrade_ops is None:
        raise DatabaseError(f"{history.plugin}: models and database are equal; --no-autogenerate writes an empty one")
    protect = [
        f'enable_row_level_security("{one.table_name}")'
        for one in made.upgrade_ops.ops
        if isinstance(one, CreateTableOp) and any(getattr(column, "name", "") == "tenant_id" for column in one.columns)
    ]
    up, down = (rendered(operations, context) for operations in (made.upgrade_ops, made.downgrade_ops))
    return "\n    ".join([up, *protect]), down


def rendered(operations: UpgradeOps | DowngradeOps, context: MigrationContext) -> str:
    """The code without Alembic's remarks about itself."""
    lines = render_python_code(operations, migration_context=context).splitlines()
    return "\n".join(line for line in lines if "# ###" not in line).strip()
