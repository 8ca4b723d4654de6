"""SQLAlchemy compiles, once for each shape of a statement; what comes out is SQL and values for psycopg.

This file alone uses private names of SQLAlchemy 2.1: `_compile_w_cache` (the cache of compiled statements has no public
door), `_bind_processors`, `_process_parameters_for_postcompile`, `_result_columns` and `_within_exec_param_key_getter`.
tests/integration/test_session.py covers each; when one is gone, look at `DefaultExecutionContext._init_compiled`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy import event
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg
from sqlalchemy.schema import Column
from sqlalchemy.sql import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter, ClauseElement
from sqlalchemy.util import LRUCache

from .failures import tell_in_place_of_sqlalchemy
from .forbidden import leaves_session_state, refusal
from .pipeline import Statement

logger = logging.getLogger("vinc.sql")
SHAPES = 1000  # a statement that is built in each call counts once
KEYS = 100  # sets of values that come with one constant
Values = Mapping[str, Any]
Convert = Callable[[Any], Any]
NOTHING: Values = {}


@dataclass(slots=True, eq=False)
class Shape:
    """A compiled statement, and what is found out about it once."""

    compiled: SQLCompiler
    sql: bytes
    keys: Sequence[str]  # of its values, in order
    converters: Mapping[str, Convert]
    expands: bool  # IN (...): its text depends on how many values come
    refusal: str
    leaves_session_state: bool
    columns: dict[tuple[int, ...], Sequence[Convert | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Query:
    """A statement ready to be sent."""

    question: Statement
    shape: Shape


@dataclass(frozen=True, slots=True)
class Ready:
    """A constant statement whose shape is known; `own` are the values that it brings itself, unless they change."""

    shape: Shape
    extracted: Sequence[BindParameter[Any]] | None
    collected: Values | None
    own: Values | None


@dataclass(slots=True, eq=False)
class Execution:
    """What a column's default sees of the execution, when it takes an argument."""

    compiled: SQLCompiler
    current_parameters: dict[str, Any]

    def get_current_parameters(self, *, isolate_multiinsert_groups: bool = True) -> dict[str, Any]:  # noqa: ARG002  SQLAlchemy's name
        return self.current_parameters


class Statements:
    """The compiler of one pool, with its dialects and the statements it knows.

    `numbered` writes `$1`, as the protocol has it; `dialect` is for the ORM, which speaks through psycopg's cursors.
    """

    def __init__(self, *, echo: bool = False) -> None:
        # Untyped in SQLAlchemy, the driver's module as well.
        make: Any = PGDialectAsync_psycopg
        driver = make.import_dbapi()
        self.dialect = make(dbapi=driver, use_native_hstore=False)
        self.numbered = make(dbapi=driver, use_native_hstore=False, paramstyle="numeric_dollar")
        event.listen(self.dialect, "handle_error", tell_in_place_of_sqlalchemy)
        self.echo = echo
        self.compiled: LRUCache[Any, Any] = LRUCache(SHAPES)
        self.shapes: LRUCache[SQLCompiler, Shape] = LRUCache(SHAPES)
        self.constants: WeakKeyDictionary[Executable, dict[frozenset[str], Ready]] = WeakKeyDictionary()

    def query(self, statement: Executable, values: Values | None = None) -> Query:
        """SQL and values; raises what a type of the statement thinks of a value."""
        given = NOTHING if values is None else values
        ready = self.recalled(statement, given)
        shape = ready.shape
        if self.echo:
            logger.info("%s", shape.sql.decode())
        if ready.own is None:
            return self.asked_anew(ready, given)
        own, converters = ready.own, shape.converters
        sent: list[Any] = [given[key] if key in given else own[key] for key in shape.keys]
        if converters:
            sent = [convert(v) if (convert := converters.get(k)) else v for k, v in zip(shape.keys, sent, strict=True)]
        return Query(Statement(shape.sql, sent), shape)

    def recalled(self, statement: Executable, given: Values) -> Ready:
        """Without its cache key, which costs more than all else, once a statement comes for the second time."""
        known = self.constants.get(statement)
        if known is None:  # perhaps built for this one call: what would be kept of it lives no longer than itself
            self.constants[statement] = {}
            return self.ready(statement, given, constant=False)
        keys = frozenset(given)
        found = known.get(keys)
        if found is None:
            if len(known) > KEYS:
                known.clear()
            found = known[keys] = self.ready(statement, given, constant=True)
        return found

    def ready(self, statement: Executable, given: Values, *, constant: bool) -> Ready:
        element = cast("ClauseElement", statement)
        made, extracted, collected, _ = element._compile_w_cache(  # noqa: SLF001  see above
            self.numbered, compiled_cache=self.compiled, column_keys=sorted(given)
        )
        compiled = cast("SQLCompiler", made)
        shape = self.shapes.get(compiled)
        if shape is None:
            shape = self.shapes[compiled] = shape_of(compiled)
        ready = Ready(shape, extracted, collected, None)
        return Ready(shape, extracted, collected, own_values(ready, given)) if constant else ready

    def asked_anew(self, ready: Ready, given: Values) -> Query:
        """The way of every statement that is built for one call, or whose values are made in each."""
        shape, compiled = ready.shape, ready.shape.compiled
        found = constructed(ready, given)
        add_defaults(compiled, found)
        sql, keys, converters = shape.sql, shape.keys, shape.converters
        if shape.expands:
            expanded = compiled._process_parameters_for_postcompile(found)  # noqa: SLF001  see above
            sql, keys = expanded.statement.encode(), expanded.positiontup or ()
            found |= expanded.additional_parameters
            converters = {**converters, **cast("Mapping[str, Convert]", expanded.processors)}
        sent = [convert(found[key]) if (convert := converters.get(key)) else found[key] for key in keys]
        return Query(Statement(sql, sent, prepare=not shape.expands), shape)

    def columns(self, shape: Shape, types: tuple[int, ...]) -> Sequence[Convert | None]:
        """How each column of the answer becomes the value of its SQLAlchemy type; None: it is one already."""
        found = shape.columns.get(types)
        if found is None:
            known = shape.compiled._result_columns  # noqa: SLF001  see above
            if len(known) == len(types):
                found = [
                    column.type.dialect_impl(self.numbered).result_processor(self.numbered, kind)
                    for column, kind in zip(known, types, strict=True)
                ]
            else:  # text(): nobody told the types
                found = [None] * len(types)
            shape.columns[types] = found if any(found) else ()
        return shape.columns[types]


def shape_of(compiled: SQLCompiler) -> Shape:
    sql = compiled.string
    return Shape(
        compiled=compiled,
        sql=sql.encode(),
        keys=tuple(compiled.positiontup or ()),
        converters=dict[str, Any](compiled._bind_processors),  # noqa: SLF001  see above
        expands=bool(compiled.literal_execute_params or compiled.post_compile_params),
        refusal=refusal(sql),
        leaves_session_state=leaves_session_state(sql),
    )


def constructed(ready: Ready, given: Values) -> dict[str, Any]:
    """Every value by its name in the SQL; raises where one is missing."""
    return dict(
        ready.shape.compiled.construct_params(
            cast("Any", given) or None,
            extracted_parameters=ready.extracted,
            escape_names=False,
            _collected_params=cast("Any", ready.collected),
        )
    )


def own_values(ready: Ready, given: Values) -> Values | None:
    """What a constant brings beside these values; None where each call has to ask again."""
    compiled = ready.shape.compiled
    binds = compiled.bind_names.items()
    if (
        ready.shape.expands
        or compiled.insert_prefetch
        or compiled.update_prefetch
        or any(bind.callable or (bind.key in given and bind.key != name) for bind, name in binds)
    ):
        return None
    return {key: value for key, value in constructed(ready, given).items() if key not in given}


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
