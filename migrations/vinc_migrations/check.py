"""Compare the database with what it should be: histories, models, roles, grants, policies.

Alembic itself sees models and columns only.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, MetaData, Table
from sqlalchemy.exc import DBAPIError

from vinc_kernel.database.base import Base, TenantOwned
from vinc_kernel.database.minimum_version import below_minimum
from vinc_kernel.database.versions import History, RevisionState

from .blocking import blocking_changes
from .catalog import FINDINGS, catalog_findings, owners, relations
from .connection import MigrationConnection, MigrationOptions, connect, postgres_message, sqlstate
from .find import KERNEL_HISTORY
from .grant_steps import undone
from .keys import UNFINISHED
from .lint import bare_statements, unreadable
from .protection import broken_promises, protection_differences
from .run import read_state

FORBIDDEN = "42501"  # insufficient_privilege
Models = Mapping[str, Sequence[type[Base]]]
CHECKS = """
select conname from pg_constraint where contype = 'c' and conrelid = to_regclass(%s) order by 1
"""


def check(url: str, histories: Sequence[History], models: Models, options: MigrationOptions) -> list[str]:
    """Return one line for each difference, with its cure; empty when all is as it should be.

    `models` has the plugins whose models could be loaded; of the others everything but the models is compared.
    """
    broken = {history.plugin: lines for history in histories if (lines := unreadable(history))}
    found = [line for lines in broken.values() for line in lines]
    models = {plugin: own for plugin, own in models.items() if plugin not in broken}
    histories = [history for history in histories if history.plugin not in broken]
    found += [line for history in histories for line in (*bare_statements(history), *blocking_changes(history))]
    with connect(url) as connection:
        db = MigrationConnection(connection, "", options)
        outdated = below_minimum(db.driver.info.server_version)
        found += [outdated] if outdated else []
        db.execute("set transaction read only")
        steps = undone(db.driver, db.roles, db.driver.info.dbname)
        found += [f"{step.wrong}; run vinc db init" for step in steps if not step.optional]
        try:
            kernel = read_state(connection, KERNEL_HISTORY)
            found += differences_of_state(kernel)
            if not kernel.is_behind:  # else what is recorded of tables cannot be read
                found += differences_of_tables(db, histories, models)
        except DBAPIError as error:
            if sqlstate(error) != FORBIDDEN:
                raise
            found.append(f"tables cannot be looked at: {postgres_message(error)}; run vinc db init")
    return found


def differences_of_tables(db: MigrationConnection, histories: Sequence[History], models: Models) -> Iterator[str]:
    for history in histories:
        yield from differences_of_plugin(db, history, models.get(history.plugin))
    for plugin in sorted(models.keys() - {history.plugin for history in histories}):
        if models[plugin]:
            yield f"{plugin}: it has models and no revision; run vinc db revision --plugin {plugin}"
    yield from unrecorded_relations(db)
    yield from map(str, catalog_findings(db, (*FINDINGS, *UNFINISHED)))


def differences_of_state(state: RevisionState) -> Iterator[str]:
    if not state.is_known:
        yield f"{state.plugin}: the database is at {state.at}, which this version does not have; install the newer one"
    elif state.is_behind:
        yield f"{state.plugin}: {state}; run vinc db upgrade"


def differences_of_plugin(
    db: MigrationConnection, history: History, models: Sequence[type[Base]] | None
) -> Iterator[str]:
    state = read_state(db.connection, history)
    if state.at != state.head:
        yield from differences_of_state(state)
    elif models is not None:
        yield from (f"{state.plugin}: {line}" for line in differences_of_models(db, history.plugin, models))


def differences_of_models(db: MigrationConnection, plugin: str, models: Sequence[type[Base]]) -> Iterator[str]:
    """Yield what a new revision would change, and what a model promises and its table does not keep."""
    tables = [model.__table__ for model in models if isinstance(model.__table__, Table)]
    recorded = {name for name, owner in owners(db).items() if owner == plugin}
    existing = relations(db)
    context = compare_context(db.connection, {table.name for table in tables} | recorded)
    metadata = models[0].metadata if models else MetaData()
    with unvalidated_checks():
        differences = compare_metadata(context, metadata)
    yield from (f"models and database differ: {describe_difference(one)}; make a revision" for one in differences)
    for table in tables:
        if table.name in existing:
            yield from differences_of_checks(db.connection, table)
    for one in protection_differences(db, models):
        if one.table in existing:
            yield f"{one.table} {one.what}; make a revision that calls {one.upgrade}"
    yield from broken_promises(models)
    for model in models:
        if issubclass(model, TenantOwned) and "tenant_id" not in model.__table__.c:
            yield f"{model.__tablename__}: the model is a tenant's and has no tenant_id; leave that column in"


@contextmanager
def unvalidated_checks() -> Iterator[None]:
    """Let SQLAlchemy read them without a warning: it cannot take its own option for them back."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Can't validate argument 'dialect_options'")
        yield


def compare_context(connection: Connection, names: set[str]) -> MigrationContext:
    """Return Alembic's context for comparing these tables and no others."""

    def include_name(name: str | None, kind: str, *_: object) -> bool:
        return kind != "table" or name in names

    options = {
        "include_name": include_name,
        "include_object": lambda _, *rest: include_name(*rest),
        "compare_type": True,
        "compare_server_default": True,
    }
    return MigrationContext.configure(connection, opts=options)


def differences_of_checks(connection: Connection, table: Table) -> Iterator[str]:
    missing, surplus = compare_checks(connection, table)
    yield from (f"{table.name} lacks the check {name}; make a revision" for name in sorted(missing))
    yield from (f"{table.name} has the check {name}, its model not; make a revision" for name in surplus)


def compare_checks(connection: Connection, table: Table) -> tuple[dict[str, CheckConstraint], list[str]]:
    """Return the checks that are missing, and the names of those that are too many; Alembic does not look at them."""
    existing = set(connection.exec_driver_sql(CHECKS, (f'public."{table.name}"',)).scalars())
    wanted = {
        str(connection.dialect.identifier_preparer.format_constraint(one)).strip('"'): one
        for one in table.constraints
        if isinstance(one, CheckConstraint)
    }
    missing = {name: one for name, one in wanted.items() if name not in existing}
    return missing, sorted(existing - wanted.keys())


def describe_difference(difference: Any) -> str:
    """Describe one of Alembic's differences: `add_column invoices_invoice.due`."""
    if isinstance(difference, list):
        return ", ".join(map(describe_difference, difference))
    verb, *parts = difference
    if isinstance(parts[0], str) or parts[0] is None:  # schema, table, then column or its name
        _, table, column, *_ = parts
        return f"{verb} {table}.{getattr(column, 'name', column)}"
    table = getattr(getattr(parts[0], "table", None), "name", "")
    return f"{verb} {table}{'.' * bool(table)}{getattr(parts[0], 'name', parts[0])}"


def unrecorded_relations(db: MigrationConnection) -> Iterator[str]:
    """Yield tables of our owner that no revision made, and recorded ones that are gone or somebody else's."""
    existing, known = relations(db), owners(db)
    for name, (owner, _) in existing.items():
        if name in known and owner != db.roles.owner:
            yield f"{name} belongs to the role {owner}, not to {db.roles.owner}; alter its owner"
        if name not in known and owner == db.roles.owner:
            yield f"{name} was made by no plugin's revision; drop it, or let its plugin make it"
    yield from (f"{name} of {known[name]} is gone; restore it" for name in sorted(known.keys() - existing.keys()))
