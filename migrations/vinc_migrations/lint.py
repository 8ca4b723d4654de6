"""Find statements in revisions that touch rows outside `data_migration`, where the owner sees none, or that grant.

Found by reading the source; a revision is not run for it. What cannot be read is reported too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from vinc_kernel.database.versions import History, revisions
from vinc_kernel.errors import DatabaseError

RUNS_SQL = frozenset({"execute", "exec_driver_sql", "scalar", "scalars"})
WRITES_ROWS = frozenset({"bulk_insert"})
SHELTERS = frozenset({"data_migration", "bypass_row_level_security"})
BUILDS_DDL = frozenset({"CreateTable", "CreateIndex", "CreateSequence", "DDL", "DropTable", "DropIndex"})
IGNORED = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
is_ddl = re.compile(rf"{IGNORED}(alter|comment|create|drop|set|reset)\b", re.IGNORECASE | re.DOTALL).match
ROWS_IN_DDL = re.compile(
    r"\bas\s+(\(|select|with|table|values)|;\s*(with|insert|update|delete|merge|truncate)\b", re.IGNORECASE
)
changes_grants = re.compile(
    rf"(?:^|;){IGNORED}(grant|revoke|alter\s+default\s+privileges)\b", re.IGNORECASE | re.DOTALL
).search
ROWS_HINT = "put it into `with data_migration(expect=n):`"
GRANT_HINT = "grants follow from the model: set `__append_only__ = True` there, and call enable_append_only() instead"


def bare_statements(history: History) -> list[str]:
    """Return a line for each statement that grants, or may touch rows outside of a `with` that is made for rows."""
    return [
        f"{history.plugin}: {what} ({file}:{line}); {hint}"
        for file in sorted(history.versions.glob("*.py"))
        for line, what, hint in faults(file)
    ]


def unreadable(history: History) -> list[str]:
    """Return one line when the revisions are not one line of Python files, of which nothing else can then be told."""
    try:
        revisions(history)
        for file in sorted(history.versions.glob("*.py")):
            ast.parse(file.read_bytes(), str(file))
    except DatabaseError as error:
        return [str(error)]
    except (SyntaxError, ValueError) as error:
        return [f"{history.plugin}: the revision is no Python: {error} ({file}); mend it"]
    return []


def faults(file: Path) -> Iterator[tuple[int, str, str]]:
    tree = ast.parse(file.read_text("utf-8"), str(file))
    yield from visit(tree, constants(tree), is_sheltered=False)


def constants(tree: ast.Module) -> Mapping[str, ast.expr]:
    """Return the expressions that module-level names stand for."""
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def visit(node: ast.AST, known: Mapping[str, ast.expr], *, is_sheltered: bool) -> Iterator[tuple[int, str, str]]:
    if isinstance(node, ast.With | ast.AsyncWith) and any(is_shelter(item.context_expr) for item in node.items):
        is_sheltered = True
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        name = node.func.attr
        if name in RUNS_SQL and node.args and (fault := fault_of(node.args[0], known, is_sheltered=is_sheltered)):
            yield node.lineno, f"{name}() {fault[0]}", fault[1]
        elif name in WRITES_ROWS and not is_sheltered:
            yield node.lineno, f"{name}() writes rows", ROWS_HINT
    for child in ast.iter_child_nodes(node):
        yield from visit(child, known, is_sheltered=is_sheltered)


def is_shelter(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and last_name(node.func) in SHELTERS


def last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def fault_of(statement: ast.expr, known: Mapping[str, ast.expr], *, is_sheltered: bool) -> tuple[str, str] | None:
    """Return why a statement is refused, and what to do; None for what only changes the schema, or is sheltered."""
    if isinstance(statement, ast.Name) and statement.id in known:
        statement = known[statement.id]
    if isinstance(statement, ast.Call) and last_name(statement.func) == "text" and statement.args:
        return fault_of(statement.args[0], known, is_sheltered=is_sheltered)
    text = literal(statement)
    shown = f"runs {' '.join((text or '').split())[:40]!r}"
    if text and changes_grants(text):
        return shown, GRANT_HINT
    if is_sheltered or (isinstance(statement, ast.Call) and last_name(statement.func) in BUILDS_DDL):
        return None
    if text is None:
        return "runs a statement that cannot be read here", ROWS_HINT
    return None if is_ddl(text) and not ROWS_IN_DDL.search(text) else (shown, ROWS_HINT)


def literal(node: ast.expr) -> str | None:
    """Return the text of a string; of a formatted one with a place holder for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
    return None
