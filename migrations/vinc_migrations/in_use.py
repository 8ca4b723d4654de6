"""Write what Alembic found about tables in use so that `vinc db check` accepts it, and say what is left to write."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from alembic.autogenerate import render_python_code
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import ClauseElement, Column, DefaultClause, Uuid, inspect

from .blocking import VOLATILE, Reading
from .protection import TENANT

FILL_IN = "# Fill in the rows that exist here; vinc db revision then writes that it is not null:"
LATER = "# For the next revision, which vinc db revision writes after vinc db upgrade:"
REFUSED = "# Write the following otherwise, as it keeps others waiting:"
WHOSE = "# Say whose each row is, and let nobody use this table meanwhile: who reads or writes it waits."


@dataclass(frozen=True, slots=True)
class Change:
    """The code of one change and of its way back; one that stands `alone` is not part of a transaction."""

    up: str
    down: str = ""
    alone: bool = False


def changes(script: ops.MigrationScript, context: MigrationContext, existing: Collection[str]) -> Iterator[Change]:
    """Yield the changes that Alembic found; a table that is made here is empty, so nobody waits for it."""
    for operation in leaves(script.upgrade_ops_list):
        table = getattr(operation, "table_name", None) or getattr(operation, "source_table", None)
        yield change_in_use(operation, context) if table in existing else as_found(operation, context)


def leaves(operations: Sequence[ops.OpContainer]) -> Iterator[ops.MigrateOperation]:
    for one in operations:
        for operation in one.ops:
            if isinstance(operation, ops.OpContainer):
                yield from leaves([operation])
            else:
                yield operation


def as_found(operation: ops.MigrateOperation, context: MigrationContext) -> Change:
    return Change(render(operation, context), render(operation.reverse(), context))


def render(operation: ops.MigrateOperation, context: MigrationContext) -> str:
    """Return the code without Alembic's remarks about itself."""
    lines = render_python_code(ops.UpgradeOps(ops=[operation]), migration_context=context).splitlines()
    return "\n".join(line for line in lines if "# ###" not in line).strip()


def change_in_use(operation: ops.MigrateOperation, context: MigrationContext) -> Change:
    if isinstance(operation, ops.AddColumnOp):
        return add_column(operation, context)
    if isinstance(operation, ops.CreateForeignKeyOp | ops.CreateCheckConstraintOp):
        operation.kw["postgresql_not_valid"] = True  # vinc db revision writes the validation next
    if isinstance(operation, ops.CreateUniqueConstraintOp):
        return unique(operation)
    found = as_found(operation, context)
    if isinstance(operation, ops.CreateIndexOp) and (columns := plain_columns(operation)):
        name, unique_ = quoted(operation.index_name or ""), ", unique=True" if operation.unique else ""
        made = f"create_index_concurrently({name}, {quoted(operation.table_name)}, [{columns}]{unique_})"
        return Change(made, found.down, alone=True)
    return left_to_write(found)


def left_to_write(found: Change) -> Change:
    """Return a comment in place of what `vinc db check` would refuse."""
    tree = ast.parse(found.up)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    cures = sorted({cure for call in calls for _, _, cure in Reading(tree, [], {}).blocks(call)})
    if not cures:
        return found
    return Change(comment("\n".join((REFUSED[2:], *cures, found.up))))


def comment(text: str) -> str:
    return textwrap.indent(text, "# ", lambda _: True)


def quoted(name: str) -> str:
    return f'"{name}"'


def plain_columns(operation: ops.CreateIndexOp) -> str:
    """Return the columns of an index that has nothing else: no expression, condition or method."""
    columns = [column.name if isinstance(column, Column) else column for column in operation.columns]
    more = [value for value in operation.kw.values() if isinstance(value, ClauseElement) or value]
    if more or not all(isinstance(column, str) for column in columns):
        return ""
    return ", ".join(quoted(str(column)) for column in columns)


def unique(operation: ops.CreateUniqueConstraintOp) -> Change:
    """An index beside the traffic; the constraint is made of it in the revision after that."""
    table, name = operation.table_name, str(operation.constraint_name)
    columns = ", ".join(quoted(str(column)) for column in operation.columns)
    adopt = f'op.execute(\'alter table "{table}" add constraint "{name}" unique using index "{name}"\')'
    made = f"create_index_concurrently({quoted(name)}, {quoted(table)}, [{columns}], unique=True)"
    return Change(
        f"{made}\n# In a revision after this one:\n{comment(adopt)}",
        f"op.drop_index({quoted(name)}, table_name={quoted(table)})",
        alone=True,
    )


def add_column(operation: ops.AddColumnOp, context: MigrationContext) -> Change:
    column, table = operation.column, operation.table_name
    found = as_found(operation, context)
    default = server_default(column)
    if column.computed is not None or column.identity is not None:
        return left_to_write(found)
    if column.name == TENANT:
        query = filled(table, TENANT, "(select ...)")
        lines = [WHOSE, bare(column, table, context), query, altered(operation, context, nullable=False)]
        return Change("\n".join(lines), found.down)
    if column.primary_key and isinstance(column.type, Uuid):  # `id`, which the application makes
        lines = [bare(column, table, context), filled(table, column.name, default or "gen_random_uuid()")]
        return Change("\n".join(lines), found.down)
    if re.search(VOLATILE, default):
        lines = [bare(column, table, context), altered(operation, context), filled(table, column.name, default)]
        return Change("\n".join(lines), found.down)
    if not column.nullable and not default:
        query = comment(filled(table, column.name, "..."))
        return Change("\n".join([bare(column, table, context), FILL_IN, query]), found.down)
    return found


def server_default(column: Column[object]) -> str:
    return str(column.server_default.arg) if isinstance(column.server_default, DefaultClause) else ""


def bare(column: Column[object], table: str, context: MigrationContext) -> str:
    """Return the code that adds the column for now: it may be null, and has no default."""
    plain: Column[object] = Column(column.name, column.type, nullable=True, comment=column.comment)
    return render(ops.AddColumnOp(table, plain), context)


def altered(operation: ops.AddColumnOp, context: MigrationContext, *, nullable: bool | None = None) -> str:
    column = operation.column
    default = column.server_default if server_default(column) else False
    change = ops.AlterColumnOp(
        operation.table_name,
        column.name,
        existing_type=column.type,
        modify_server_default=default,
        modify_nullable=nullable,
    )
    code = " ".join(render(change, context).split())
    return code if nullable is None else f"{code}  # vinc: its rows are filled in above"


def filled(table: str, column: str, value: str) -> str:
    statement = f'update "{table}" set "{column}" = {value}'  # noqa: S608  written for somebody to read
    query = f'select count(*) from "{table}"'  # noqa: S608  likewise
    return f"with data_migration(expect={query!r}):\n    op.execute({statement!r})"


def key_changes(script: ops.MigrationScript, context: MigrationContext) -> tuple[list[Change], list[Change]]:
    """Return the primary keys that lose `tenant_id`, and those that get it; Alembic does not look at keys."""
    lost: list[Change] = []
    got: list[Change] = []
    for one in leaves(script.upgrade_ops_list):
        if isinstance(one, ops.AddColumnOp) and one.column.name == TENANT:
            got += key_change(one.table_name, context, one.column.table.primary_key.columns.keys())
        if isinstance(one, ops.DropColumnOp) and one.column_name == TENANT:
            metadata = context.opts["target_metadata"]
            lost += key_change(one.table_name, context, metadata.tables[one.table_name].primary_key.columns.keys())
    return lost, got


def key_change(table: str, context: MigrationContext, columns: Sequence[str]) -> Iterator[Change]:
    connection = context.connection
    key = inspect(connection).get_pk_constraint(table) if connection else None
    if not key or not key["name"] or key["constrained_columns"] == list(columns):
        return
    name = quoted(str(key["name"]))
    drop = f'op.drop_constraint({name}, {quoted(table)}, type_="primary")'
    create, again = (
        f"op.create_primary_key({name}, {quoted(table)}, [{', '.join(map(quoted, those))}])"
        for those in (columns, key["constrained_columns"])
    )
    yield Change(f"{drop}\n{create}  # vinc: others wait meanwhile", f"{drop}\n{again}")
