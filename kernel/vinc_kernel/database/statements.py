"""SQLAlchemy compiles, once for each shape of a statement; what comes out is SQL and values for psycopg.

This file alone uses private names of SQLAlchemy 2.1: `_compile_w_cache` (the cache of compiled statements has no public
door), `_bind_processors`, `_process_parameters_for_postcompile`, `_result_columns` and `_within_exec_param_key_getter`.
tests/integration/test_session.py covers each; when one is gone, look at `DefaultExecutionContext._init_compiled`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import event
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg
from sqlalchemy.schema import Column
from sqlalchemy.sql import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.util import LRUCache

from .failures import tell_in_place_of_sqlalchemy

logger = logging.getLogger("vinc.sql")
SHAPES = 1000  # a statement that is built in each call counts once
Values = Mapping[str, Any]
Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Query:
    """A statement ready for psycopg."""

    sql: str
    values: Values
    compiled: SQLCompiler


@dataclass(slots=True, eq=False)
class Execution:
    """What a column's default sees of the execution, when it takes an argument."""

    compiled: SQLCompiler
    current_parameters: dict[str, Any]

    def get_current_parameters(self, *, isolate_multiinsert_groups: bool = True) -> dict[str, Any]:  # noqa: ARG002  SQLAlchemy's name
        return self.current_parameters


class Statements:
    """The compiler of one pool, with its dialect and the statements it knows."""

    def __init__(self, *, echo: bool = False) -> None:
        # Untyped in SQLAlchemy, the driver's module as well.
        make: Any = PGDialectAsync_psycopg
        self.dialect = make(dbapi=make.import_dbapi(), use_native_hstore=False)
        event.listen(self.dialect, "handle_error", tell_in_place_of_sqlalchemy)
        self.echo = echo
        self.shapes: LRUCache[Any, Any] = LRUCache(SHAPES)
        self.converters: LRUCache[tuple[SQLCompiler, tuple[int, ...]], Sequence[Convert | None]] = LRUCache(SHAPES)

    def query(self, statement: Executable, values: Values | None = None) -> Query:
        """SQL and values; raises what a type of the statement thinks of a value."""
        given = dict(values or {})
        element = cast("ClauseElement", statement)
        made, extracted, collected, _ = element._compile_w_cache(  # noqa: SLF001  see above
            self.dialect, compiled_cache=self.shapes, column_keys=sorted(given)
        )
        compiled = cast("SQLCompiler", made)
        found: dict[str, Any] = dict(
            compiled.construct_params(
                given or None, extracted_parameters=extracted, escape_names=False, _collected_params=collected
            )
        )
        add_defaults(compiled, found)
        sql, converters = compiled.string, dict[str, Any](compiled._bind_processors)  # noqa: SLF001  see above
        if compiled.literal_execute_params or compiled.post_compile_params:  # IN (...), whose length is known only now
            expanded = compiled._process_parameters_for_postcompile(found)  # noqa: SLF001  see above
            sql, found = expanded.statement, {**found, **expanded.additional_parameters}
            converters |= expanded.processors
            for gone in compiled.post_compile_params | compiled.literal_execute_params:
                found.pop(compiled.bind_names[gone], None)
        sent = {key: convert(value) if (convert := converters.get(key)) else value for key, value in found.items()}
        names = compiled.escaped_bind_names
        if self.echo:
            logger.info("%s", sql)
        return Query(sql, {names.get(key, key): value for key, value in sent.items()} if names else sent, compiled)

    def columns(self, query: Query, types: Sequence[int]) -> Sequence[Convert | None]:
        """How each column of the answer becomes the value of its SQLAlchemy type; None: it is one already."""
        key = (query.compiled, tuple(types))
        found = self.converters.get(key)
        if found is None:
            known = query.compiled._result_columns  # noqa: SLF001  see above
            if len(known) == len(types):
                found = [
                    column.type.dialect_impl(self.dialect).result_processor(self.dialect, kind)
                    for column, kind in zip(known, types, strict=True)
                ]
            else:  # text(): nobody told the types
                found = [None] * len(types)
            self.converters[key] = found
        return found


def add_defaults(compiled: SQLCompiler, values: dict[str, Any]) -> None:
    """Apply the columns' defaults that are Python's; those of the server are its own."""
    inserted = compiled.insert_prefetch
    for column in inserted or compiled.update_prefetch:
        key = compiled._within_exec_param_key_getter(column)  # noqa: SLF001  see above
        values[key] = default_of(column, Execution(compiled, values), inserting=bool(inserted))


def default_of(column: Column[Any], execution: Execution, *, inserting: bool) -> Any:
    default: Any = column.default if inserting else column.onupdate
    if default.is_callable:
        return default.arg(execution)
    if default.is_scalar:
        return default.arg
    message = f"{column}: a default that is a {type(default).__name__} needs a statement of its own: use server_default"
    raise TypeError(message)
