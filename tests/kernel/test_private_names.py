"""What `database` and `connections` use of their libraries without a promise in the documentation.

A test of behaviour stands beside each in tests/integration; this one says at once what is gone, and where to look.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis.asyncio.client
import sqlalchemy.util
from psycopg import AsyncConnection, adapt, errors, generators, waiting
from redis.asyncio import Redis
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

import vinc_kernel.connections
import vinc_kernel.database

PIPELINE, COMPILER, ORM = (f"vinc_kernel.database.{name}" for name in ("pipeline", "compiler", "orm"))
REDIS = "vinc_kernel.connections.redis"
LOOK_AT = {
    PIPELINE: "AsyncCursor._execute_gen, AsyncPipeline and AsyncConnection.wait",
    COMPILER: "DefaultExecutionContext._init_compiled",
    ORM: "create_async_engine",
    REDIS: "redis.asyncio.client.Redis.pipeline",
}
LIBRARY = {PIPELINE: "psycopg", COMPILER: "sqlalchemy", ORM: "sqlalchemy", REDIS: "redis"}

connection = AsyncConnection(psycopg.pq.PGconn.connect_start(b"host=/nowhere"))
dialect = PGDialectAsync_psycopg(dbapi=PGDialectAsync_psycopg.import_dbapi(), paramstyle="numeric_dollar")
compiler = sqlalchemy.insert(sqlalchemy.table("a", sqlalchemy.column("b"))).compile(dialect=dialect)
# Where each is used, and on what it is found.
NAMES: list[tuple[str, Any, str]] = [
    *((PIPELINE, generators, name) for name in ("send", "fetch_many", "cancel")),
    *((PIPELINE, waiting, name) for name in ("wait_async", "wait_conn_async")),
    *((PIPELINE, connection, name) for name in ("wait", "lock", "_deallocate")),
    (PIPELINE, errors, "_WaitTimeout"),
    *(
        (PIPELINE, adapt.Transformer(), name)
        for name in ("dump_sequence", "types", "formats", "set_pgresult", "load_rows")
    ),
    (COMPILER, ClauseElement, "_compile_w_cache"),
    *((COMPILER, compiler, name) for name in ("_bind_processors", "_result_columns", "_within_exec_param_key_getter")),
    *((COMPILER, compiler, name) for name in ("bind_names", "positiontup", "insert_prefetch", "update_prefetch")),
    *(
        (COMPILER, compiler, name)
        for name in ("literal_execute_params", "post_compile_params", "construct_expanded_state")
    ),
    (COMPILER, sqlalchemy.util, "LRUCache"),
    *((REDIS, Redis, name) for name in ("execute_command", "pipeline")),
    (REDIS, Redis(), "response_callbacks"),
    *((REDIS, redis.asyncio.client.Pipeline, name) for name in ("execute", "immediate_execute_command")),
]
# Arguments of functions.
ARGUMENTS: list[tuple[str, Any, list[str]]] = [
    (PIPELINE, AsyncConnection.wait, ["gen", "interval", "timeout"]),
    (PIPELINE, waiting.wait_async, ["gen", "fileno", "interval", "timeout"]),
    (COMPILER, ClauseElement._compile_w_cache, ["dialect", "compiled_cache", "column_keys"]),
    (COMPILER, SQLCompiler.construct_params, ["extracted_parameters", "escape_names", "_collected_params"]),
    (ORM, Engine.__init__, ["pool", "dialect", "url", "echo", "hide_parameters", "execution_options"]),
    (ORM, NullPool.__init__, ["creator", "reset_on_return", "dialect"]),
    (
        REDIS,
        redis.asyncio.client.Pipeline.__init__,
        ["connection_pool", "response_callbacks", "transaction", "shard_hint"],
    ),
]


def complaint(module: str, what: str) -> str:
    library = LIBRARY[module]
    return f"{library} {version(library)} has no {what}, which {module} uses: look at {LOOK_AT[module]}"


@pytest.mark.parametrize(("module", "owner", "name"), NAMES, ids=[f"{m.split('.')[-1]} {n}" for m, _, n in NAMES])
def test_a_name_is_there_and_listed_beside_its_use(module: str, owner: Any, name: str) -> None:
    assert hasattr(owner, name), complaint(module, name)
    assert name in (import_module(module).__doc__ or ""), f"{module} uses {name}: list it in the module's docstring"


@pytest.mark.parametrize(("module", "function", "names"), ARGUMENTS, ids=[f.__qualname__ for _, f, _ in ARGUMENTS])
def test_a_function_takes_the_arguments_that_it_is_called_with(module: str, function: Any, names: list[str]) -> None:
    missing = set(names) - set(inspect.signature(function).parameters)

    assert not missing, complaint(module, f"argument {', '.join(missing)} of {function.__qualname__}")


def test_the_driver_of_sqlalchemy_takes_a_function_that_connects() -> None:
    source = inspect.getsource(type(dialect.dbapi).connect)

    assert '"async_creator_fn"' in source, complaint(ORM, "argument async_creator_fn of dialect.dbapi.connect")


def test_no_other_private_name_is_used() -> None:
    known = {name for _, _, name in NAMES} | {name for _, _, names in ARGUMENTS for name in names}

    assert {name for package in (vinc_kernel.database, vinc_kernel.connections) for name in private(package)} <= known


def private(package: Any) -> Iterator[str]:
    """Attributes and arguments with one leading underscore in the package's modules."""
    for path in Path(package.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.attr if isinstance(node, ast.Attribute) else node.arg if isinstance(node, ast.keyword) else None
            if name and name.startswith("_") and not name.startswith("__"):
                yield name
