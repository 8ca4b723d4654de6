"""Find statements in revisions that touch rows outside `data_migration`: the owner, who has no tenant, touches none.

Found by reading the source; a revision is not run for it. What cannot be read is reported too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from vinc_kernel.database.versions import History

RUNS_SQL = frozenset({"execute", "exec_driver_sql", "scalar", "scalars"})
WRITES_ROWS = frozenset({"bulk_insert"})
SHELTERS = frozenset({"data_migration", "bypass_row_level_security"})
BUILDS_DDL = frozenset({"CreateTable", "CreateIndex", "CreateSequence", "DDL", "DropTable", "DropIndex"})
is_ddl = re.compile(
    r"(\s|--[^\n]*\n|/\*.*?\*/)*(alter|comment|create|drop|grant|revoke|set|reset)\b", re.IGNORECASE | re.DOTALL
).match
ROWS_IN_DDL = re.compile(
    r"\bas\s+(\(|select|with|table|values)|;\s*(with|insert|update|delete|merge|truncate)\b", re.IGNORECASE
)


def bare_statements(history: History) -> list[str]:
    """Return a line for each statement that may touch rows outside of a `with` that is made for rows."""
    return [
        f"{history.plugin}: {what} ({file}:{line}); put it into `with data_migration(expect=n):`"
        for file in sorted(history.versions.glob("*.py"))
        for line, what in faults(file)
    ]


def faults(file: Path) -> Iterator[tuple[int, str]]:
    tree = ast.parse(file.read_text("utf-8"), str(file))
    yield from walk(tree, constants(tree))


def constants(tree: ast.Module) -> Mapping[str, ast.expr]:
    """What module-level names stand for."""
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def walk(node: ast.AST, known: Mapping[str, ast.expr]) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.With | ast.AsyncWith) and any(is_shelter(item.context_expr) for item in node.items):
        return
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        name = node.func.attr
        if name in WRITES_ROWS:
            yield node.lineno, f"{name}() writes rows"
        elif name in RUNS_SQL and node.args and (what := objection(node.args[0], known)):
            yield node.lineno, f"{name}() {what}"
    for child in ast.iter_child_nodes(node):
        yield from walk(child, known)


def is_shelter(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and last_name(node.func) in SHELTERS


def last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def objection(statement: ast.expr, known: Mapping[str, ast.expr]) -> str:
    """Why this statement may touch rows; empty for what only changes the schema."""
    if isinstance(statement, ast.Name) and statement.id in known:
        statement = known[statement.id]
    if isinstance(statement, ast.Call) and last_name(statement.func) == "text" and statement.args:
        return objection(statement.args[0], known)
    if isinstance(statement, ast.Call) and last_name(statement.func) in BUILDS_DDL:
        return ""
    text = literal(statement)
    if text is None:
        return "runs a statement that cannot be read here"
    if not is_ddl(text) or ROWS_IN_DDL.search(text):
        return f"runs {' '.join(text.split())[:40]!r}"
    return ""


def literal(node: ast.expr) -> str | None:
    """The text of a string; of a formatted one with a place holder for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
    return None
