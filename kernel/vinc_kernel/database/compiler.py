"""Compile SQLAlchemy's statements, once for each cache key, to SQL and values for psycopg.

What this uses of SQLAlchemy 2.1 without a promise in its documentation:

- `ClauseElement._compile_w_cache`: the cache of compiled statements has no public access;
- `SQLCompiler._bind_processors`, `._result_columns`, `._within_exec_param_key_getter`, and the argument
  `_collected_params` of `SQLCompiler.construct_params`;
- public in name only: `SQLCompiler.bind_names`, `.positiontup`, `.insert_prefetch`, `.update_prefetch`,
  `.literal_execute_params`, `.post_compile_params`, `.construct_expanded_state`, and `sqlalchemy.util.LRUCache`.

tests/kernel/test_private_names.py fails when a name is gone, and tests/integration/test_session.py when one behaves
differently: look then at `DefaultExecutionContext._init_compiled`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy import event
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg
from sqlalchemy.sql import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter, ClauseElement
from sqlalchemy.util import LRUCache

from .failures import raise_problem
from .forbidden import leaves_session_state, refusal
from .pipeline import Statement

logger = logging.getLogger("vinc.sql")
MAX_COMPILED = 1000  # a statement that is built in each call counts once
MAX_KEY_SETS = 100  # of the values that come with one constant
Values = Mapping[str, Any]
Convert = Callable[[Any], Any]
NO_VALUES: Values = {}


@dataclass(slots=True, eq=False)
class CompiledStatement:
    """The SQL of a statement, and what is computed from it once."""

    compiler: SQLCompiler
    sql: bytes
    keys: Sequence[str]  # of its values, in order
    converters: Mapping[str, Convert]
    expands: bool  # IN (...): the text depends on the number of values
    refusal: str
    leaves_session_state: bool
    columns: dict[tuple[int, ...], Sequence[Convert | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BoundStatement:
    """A statement with its values, ready to be sent."""

    statement: Statement
    compiled: CompiledStatement


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """A compiled statement with the values of the one that was passed.

    `own` are those that a constant contains itself; None where they must be computed in each call.
    """

    compiled: CompiledStatement
    extracted: Sequence[BindParameter[Any]] | None
    collected: Values | None
    own: Values | None


@dataclass(slots=True, eq=False)
class DefaultContext:
    """The argument of a column's default that takes one, as SQLAlchemy's `DefaultExecutionContext`."""

    compiled: SQLCompiler
    current_parameters: dict[str, Any]

    def get_current_parameters(self, *, isolate_multiinsert_groups: bool = True) -> dict[str, Any]:  # noqa: ARG002  SQLAlchemy's name
        return self.current_parameters


class StatementCompiler:
    """Compiles for one pool, with its dialects and its cache.

    `numbered_dialect` writes `$1`, as the protocol has it; `dialect` is for the ORM, which uses psycopg's cursors.
    """

    def __init__(self, *, echo: bool = False) -> None:
        # Untyped in SQLAlchemy, the driver's module as well.
        make: Any = PGDialectAsync_psycopg
        driver = make.import_dbapi()
        self.dialect = make(dbapi=driver, use_native_hstore=False)
        self.numbered_dialect = make(dbapi=driver, use_native_hstore=False, paramstyle="numeric_dollar")
        event.listen(self.dialect, "handle_error", raise_problem)
        self.echo = echo
        self.cache: LRUCache[Any, Any] = LRUCache(MAX_COMPILED)
        self.compiled: LRUCache[SQLCompiler, CompiledStatement] = LRUCache(MAX_COMPILED)
        self.constants: WeakKeyDictionary[Executable, dict[frozenset[str], CacheEntry]] = WeakKeyDictionary()

    def bind(self, statement: Executable, values: Values | None = None) -> BoundStatement:
        """Return the statement with its values; raises what a type of the statement raises for a value."""
        passed = NO_VALUES if values is None else values
        entry = self.look_up(statement, passed)
        compiled = entry.compiled
        if self.echo:
            logger.info("%s", compiled.sql.decode())
        if entry.own is None:
            return self.bind_anew(entry, passed)
        own, converters = entry.own, compiled.converters
        sent: list[Any] = [passed[key] if key in passed else own[key] for key in compiled.keys]
        if converters:
            pairs = zip(compiled.keys, sent, strict=True)
            sent = [convert(value) if (convert := converters.get(key)) else value for key, value in pairs]
        return BoundStatement(Statement(compiled.sql, sent), compiled)

    def look_up(self, statement: Executable, values: Values) -> CacheEntry:
        """Without the statement's cache key, which is what costs most, from the second call with a constant on."""
        entries = self.constants.get(statement)
        if entries is None:  # perhaps built for this one call: the weak reference is all that is kept
            self.constants[statement] = {}
            return self.compile(statement, values, constant=False)
        keys = frozenset(values)
        entry = entries.get(keys)
        if entry is None:
            if len(entries) > MAX_KEY_SETS:
                entries.clear()
            entry = entries[keys] = self.compile(statement, values, constant=True)
        return entry

    def compile(self, statement: Executable, values: Values, *, constant: bool) -> CacheEntry:
        element = cast("ClauseElement", statement)
        found, extracted, collected, _ = element._compile_w_cache(  # noqa: SLF001  see the module's docstring
            self.numbered_dialect, compiled_cache=self.cache, column_keys=sorted(values)
        )
        compiler = cast("SQLCompiler", found)
        compiled = self.compiled.get(compiler)
        if compiled is None:
            compiled = self.compiled[compiler] = compiled_statement(compiler)
        entry = CacheEntry(compiled, extracted, collected, None)
        return CacheEntry(compiled, extracted, collected, own_values(entry, values)) if constant else entry

    def bind_anew(self, entry: CacheEntry, passed: Values) -> BoundStatement:
        """For a statement that is built for one call, or whose values are computed in each."""
        compiled, compiler = entry.compiled, entry.compiled.compiler
        values = all_values(entry, passed)
        add_defaults(compiler, values)
        sql, keys, converters = compiled.sql, compiled.keys, compiled.converters
        if compiled.expands:
            expanded = compiler.construct_expanded_state(values, escape_names=False)
            sql, keys, values = expanded.statement.encode(), expanded.positiontup or (), {**expanded.parameters}
            converters = {**converters, **cast("Mapping[str, Convert]", expanded.processors)}
        sent = [convert(values[key]) if (convert := converters.get(key)) else values[key] for key in keys]
        return BoundStatement(Statement(sql, sent, prepare=not compiled.expands), compiled)

    def columns(self, compiled: CompiledStatement, types: tuple[int, ...]) -> Sequence[Convert | None]:
        """Return for each column what converts a value to its SQLAlchemy type; empty where none needs it."""
        converters = compiled.columns.get(types)
        if converters is None:
            known = compiled.compiler._result_columns  # noqa: SLF001  see the module's docstring
            found: list[Convert | None] = []  # stays empty for text(), which declares no types
            if len(known) == len(types):
                found = [
                    column.type.dialect_impl(self.numbered_dialect).result_processor(self.numbered_dialect, oid)
                    for column, oid in zip(known, types, strict=True)
                ]
            converters = compiled.columns[types] = found if any(found) else ()
        return converters


def compiled_statement(compiler: SQLCompiler) -> CompiledStatement:
    sql = compiler.string
    return CompiledStatement(
        compiler=compiler,
        sql=sql.encode(),
        keys=tuple(compiler.positiontup or ()),
        converters=dict[str, Any](compiler._bind_processors),  # noqa: SLF001  see the module's docstring
        expands=bool(compiler.literal_execute_params or compiler.post_compile_params),
        refusal=refusal(sql),
        leaves_session_state=leaves_session_state(sql),
    )


def all_values(entry: CacheEntry, passed: Values) -> dict[str, Any]:
    """Return every value by its name in the SQL; raises where one is missing."""
    return dict(
        entry.compiled.compiler.construct_params(
            cast("Any", passed) or None,
            extracted_parameters=entry.extracted,
            escape_names=False,
            _collected_params=cast("Any", entry.collected),
        )
    )


def own_values(entry: CacheEntry, passed: Values) -> Values | None:
    """Return the values that a constant contains beside these; None where they must be computed in each call."""
    compiler = entry.compiled.compiler
    binds = compiler.bind_names.items()
    if (
        entry.compiled.expands
        or compiler.insert_prefetch
        or compiler.update_prefetch
        or any(bind.callable or (bind.key in passed and bind.key != name) for bind, name in binds)
    ):
        return None
    return {key: value for key, value in all_values(entry, passed).items() if key not in passed}


def add_defaults(compiler: SQLCompiler, values: dict[str, Any]) -> None:
    """Add the columns' defaults that Python computes; those of the server are its own."""
    inserted = compiler.insert_prefetch
    for column in inserted or compiler.update_prefetch:
        key = compiler._within_exec_param_key_getter(column)  # noqa: SLF001  see the module's docstring
        default: Any = column.default if inserted else column.onupdate
        if default.is_callable:
            values[key] = default.arg(DefaultContext(compiler, values))
        elif default.is_scalar:
            values[key] = default.arg
        else:
            what = f"{column}: a default that is a {type(default).__name__} needs a statement of its own"
            raise TypeError(f"{what}: use server_default")
