"""Find changes in revisions that keep everybody waiting while PostgreSQL reads or writes a whole table.

Found by reading the source. A table that the same revision makes is empty. A line with a comment `# vinc: why` is an
exception that somebody has thought about.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vinc_kernel.database.versions import History

from .lint import RUNS_SQL, constants, last_name, literal

INDEX = "use create_index_concurrently() in a revision of its own"
UNIQUE = f"{INDEX}, then `alter table ... add constraint ... unique using index ...` in the next one"
UNVALIDATED = "make it not valid, and validate it in the next revision, in `with bypass_row_level_security():`"
FILLED = "add a check that it is not null, not valid, and validate that in an earlier revision; say so: # vinc: why"
COPIED = "add a column of the new type, fill it in, and drop the old one in a later revision"
DEFAULT = "add the column without it, set the default, and fill in the existing rows in `with data_migration(...):`"
VALUELESS = "it fails where there are rows: give it a server_default, or fill it in while it may be null"
AT_FIRST = "make it so in the revision that makes the table"
EXCEPTION = re.compile(r"#\s*vinc:\s*\S")
# Patterns for statements in small letters, with single spaces.
NAME = r'(?:only )?(?:if (?:not )?exists )?(?:"?public"?\.)?"?(\w+)"?'
VOLATILE = r"\b(clock_timestamp|gen_random_uuid|nextval|random|random_normal|timeofday|uuid_generate_\w+|uuidv\d) ?\("
TABLE = rf"create (?:unlogged )?table {NAME}"
INDEXED = rf"create (?:unique )?index (?!concurrently\b).*?\bon {NAME}"
ALTERED = rf"alter table {NAME} (.*)"
# What an action of `alter table` does to every row, unless the second pattern stands in it too.
ACTIONS = (
    (r"\badd\b.*\b(foreign key|references|check)\b", r"\bnot valid\b", UNVALIDATED),
    (r"\badd\b.*\b(unique|primary key|exclude)\b", r"\busing index\b", UNIQUE),
    (r'\balter (column )?"?\w+"? (set data )?type\b', None, COPIED),
    (r"\bset not null\b", None, FILLED),
    (rf"\badd\b.*\bdefault\b.*{VOLATILE}", None, DEFAULT),
    (r"\badd\b.*\bgenerated\b", None, DEFAULT),
    (
        r"\badd (?:column )?(?!constraint|check|primary|unique|foreign|exclude)\S+ (?!.*\bdefault\b).*\bnot null\b",
        None,
        VALUELESS,
    ),
    (r"\bset (un)?logged\b", None, AT_FIRST),
)


def blocking_changes(history: History) -> list[str]:
    """Return one line for each change in this history that keeps readers or writers of a table waiting."""
    return [
        f"{history.plugin}: {what} ({file}:{line}); {cure}"
        for file in sorted(history.versions.glob("*.py"))
        for line, what, cure in Reading.of(file).faults()
    ]


@dataclass(frozen=True, slots=True)
class Reading:
    """One revision's source: what its names stand for, and which tables it makes."""

    tree: ast.Module
    lines: list[str]
    known: Mapping[str, ast.expr]

    @classmethod
    def of(cls, file: Path) -> Reading:
        source = file.read_text("utf-8")
        tree = ast.parse(source, str(file))
        return cls(tree, source.splitlines(), constants(tree))

    def faults(self) -> Iterator[tuple[int, str, str]]:
        calls = [call for node in self.tree.body if not is_downgrade(node) for call in calls_in(node)]
        new = {name for call in calls for name in self.makes(call)}
        for call in calls:
            if not self.is_excused(call):
                yield from ((call.lineno, what, cure) for table, what, cure in self.blocks(call) if table not in new)

    def is_excused(self, call: ast.Call) -> bool:
        end = call.end_lineno or call.lineno
        return any(EXCEPTION.search(line) for line in self.lines[call.lineno - 1 : end])

    def text(self, node: ast.expr | None) -> str:
        """Return the text of an expression as far as it can be read; of a name, that of what it stands for."""
        if isinstance(node, ast.Name):
            node = self.known.get(node.id)
        if isinstance(node, ast.Call) and node.args:
            inner = self.text(node.args[0])
            return inner if last_name(node.func) == "text" else f"{last_name(node.func)}({inner})"
        if isinstance(node, ast.Call):
            return f"{last_name(node.func)}()"
        return (literal(node) if node is not None else None) or ""

    def makes(self, call: ast.Call) -> Iterator[str]:
        name = last_name(call.func)
        if name == "create_table":
            yield self.text(argument(call, 0, "table_name"))
        elif name in RUNS_SQL and call.args:
            made = (re.match(TABLE, one) for one in statements(self.text(call.args[0])))
            yield from (one[1] for one in made if one)

    def blocks(self, call: ast.Call) -> Iterator[tuple[str, str, str]]:
        """Yield the table, what is done to it, and what to do instead."""
        name = last_name(call.func)
        if name in RUNS_SQL and call.args:
            for statement in statements(self.text(call.args[0])):
                yield from blocking_statement(statement)
        elif name in OPERATIONS and (cure := OPERATIONS[name](self, call)):
            position, keyword = (1, "source_table" if name == "create_foreign_key" else "table_name")
            table = argument(call, 0 if name in {"add_column", "alter_column"} else position, keyword)
            yield self.text(table), f"{name}() reads or writes all of {self.text(table) or 'a table'}", cure


def is_downgrade(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == "downgrade"


def calls_in(node: ast.AST) -> Iterator[ast.Call]:
    """Yield them in the order of the source."""
    if isinstance(node, ast.Call):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from calls_in(child)


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    given = next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
    return given if given is not None or len(call.args) <= position else call.args[position]


def is_given(call: ast.Call, name: str) -> bool:
    """Return whether a keyword is given and not False or None."""
    value = argument(call, len(call.args), name)
    return value is not None and not (isinstance(value, ast.Constant) and not value.value)


def column_cure(reading: Reading, call: ast.Call) -> str:
    column = argument(call, 1, "column")
    if not isinstance(column, ast.Call):
        return ""
    generated = any(
        isinstance(one, ast.Call) and last_name(one.func) in {"Computed", "Identity"} for one in column.args
    )
    given = argument(column, len(column.args), "server_default")
    if generated or re.search(VOLATILE, reading.text(given)):
        return DEFAULT
    nullable = argument(column, len(column.args), "nullable")
    is_required = isinstance(nullable, ast.Constant) and nullable.value is False
    return VALUELESS if is_required and given is None else ""


def alteration_cure(_: Reading, call: ast.Call) -> str:
    if is_given(call, "type_"):
        return COPIED
    nullable = argument(call, len(call.args), "nullable")
    return FILLED if isinstance(nullable, ast.Constant) and nullable.value is False else ""


def constraint_cure(_: Reading, call: ast.Call) -> str:
    return "" if is_given(call, "postgresql_not_valid") else UNVALIDATED


# Alembic's operations, and what to do instead where one would keep people waiting.
OPERATIONS: Mapping[str, Callable[[Reading, ast.Call], str]] = {
    "add_column": column_cure,
    "alter_column": alteration_cure,
    "create_check_constraint": constraint_cure,
    "create_exclude_constraint": lambda _, __: AT_FIRST,
    "create_foreign_key": constraint_cure,
    "create_index": lambda _, call: "" if is_given(call, "postgresql_concurrently") else INDEX,
    "create_primary_key": lambda _, __: UNIQUE,
    "create_unique_constraint": lambda _, __: UNIQUE,
}


def statements(text: str) -> list[str]:
    """Return each in small letters, with single spaces."""
    return [" ".join(one.lower().split()) for one in text.split(";")]


def blocking_statement(statement: str) -> Iterator[tuple[str, str, str]]:
    if index := re.match(INDEXED, statement):
        yield index[1], f"{statement[:40]!r} keeps writers waiting", INDEX
    if altered := re.match(ALTERED, statement):
        for action, harmless, cure in ACTIONS:
            if re.search(action, altered[2]) and not (harmless and re.search(harmless, altered[2])):
                yield altered[1], f"{statement[:40]!r} reads or writes all of {altered[1]}", cure
                return
