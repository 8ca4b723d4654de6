"""Compare the database with what it should be: histories, models, roles, grants, policies.

Alembic itself sees models and columns only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from psycopg import Connection as Line
from sqlalchemy import CheckConstraint, Connection, MetaData, Table
from sqlalchemy.exc import DBAPIError

from vinc_kernel.database.base import Base
from vinc_kernel.database.minimum_version import below_minimum
from vinc_kernel.database.tenant_owned import TenantOwned
from vinc_kernel.database.versions import History

from .blocking import blocking_changes
from .catalog import flaws, owners, relations
from .grant_steps import undone
from .lint import bare_statements
from .run import place_of
from .unit import How, Unit, connected, reason, sqlstate

FORBIDDEN = "42501"  # insufficient_privilege
Models = Mapping[str, Sequence[type[Base]]]
CHECKS = """
select conname from pg_constraint where contype = 'c' and conrelid = to_regclass(%s) order by 1
"""


def check(url: str, histories: Sequence[History], models: Models, how: How) -> list[str]:
    """One line for each difference, with its cure; empty when all is as it should be.

    `models` has the plugins whose models could be loaded; of the others everything but the models is compared.
    """
    found = [line for history in histories for line in (*bare_statements(history), *blocking_changes(history))]
    with connected(url) as connection:
        found += outdated(connection)
        connection.exec_driver_sql("set transaction read only")
        unit = Unit(connection, "", how)
        found += differences_of_roles(unit)
        try:
            found += differences_of_tables(unit, histories, models)
        except DBAPIError as error:
            if sqlstate(error) != FORBIDDEN:
                raise
            found.append(f"tables cannot be looked at: {reason(error)}; run vinc db init")
    return found


def outdated(connection: Connection) -> list[str]:
    """What is wrong with the version of the server, if anything."""
    driver = connection.connection.driver_connection
    wrong = below_minimum(driver.info.server_version) if isinstance(driver, Line) else ""
    return [wrong] if wrong else []


def differences_of_tables(unit: Unit, histories: Sequence[History], models: Models) -> Iterator[str]:
    for history in histories:
        yield from differences_of_plugin(unit, history, models.get(history.plugin))
    for plugin in sorted(models.keys() - {history.plugin for history in histories}):
        if models[plugin]:
            yield f"{plugin}: it has models and no revision; run vinc db revision --plugin {plugin}"
    yield from strangers(unit)
    yield from map(str, flaws(unit))


def differences_of_roles(unit: Unit) -> Iterator[str]:
    """Roles, memberships and grants that `vinc db init` would mend."""
    driver = unit.connection.connection.driver_connection
    if isinstance(driver, Line):
        steps = undone(driver, unit.roles, driver.info.dbname)
        yield from (f"{step.wrong}; run vinc db init" for step in steps if not step.optional)


def differences_of_plugin(unit: Unit, history: History, models: Sequence[type[Base]] | None) -> Iterator[str]:
    place = place_of(unit.connection, history)
    if not place.is_known:
        yield f"{place.plugin}: the database is at {place.at}, which this version does not have; install the newer one"
    elif place.is_behind:
        yield f"{place.plugin}: the database is at {place.at or 'base'}, not at {place.head}; run vinc db upgrade"
    elif models is not None:
        yield from (f"{place.plugin}: {line}" for line in differences_of_models(unit, history.plugin, models))


def differences_of_models(unit: Unit, plugin: str, models: Sequence[type[Base]]) -> Iterator[str]:
    """What a new revision would change, and protection that a model promises and the table has not."""
    tables = [model.__table__ for model in models if isinstance(model.__table__, Table)]
    recorded = {name for name, owner in owners(unit).items() if owner == plugin}
    there = relations(unit)
    context = comparing(unit.connection, {table.name for table in tables} | recorded)
    metadata = models[0].metadata if models else MetaData()
    yield from (
        f"models and database differ: {told(one)}; make a revision" for one in compare_metadata(context, metadata)
    )
    for table in tables:
        if table.name in there:
            yield from differences_of_checks(unit.connection, table)
    for model in models:
        if issubclass(model, TenantOwned) and "tenant_id" not in model.__table__.c:
            yield f"{model.__tablename__}: the model is a tenant's and has no tenant_id; leave that column in"


def comparing(connection: Connection, names: set[str]) -> MigrationContext:
    """Alembic's context for comparing these tables and no others."""

    def include_name(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name in names

    def include_object(_thing: object, name: str | None, kind: str, *_: object) -> bool:
        return kind != "table" or name in names

    options = {"include_name": include_name, "include_object": include_object, "compare_type": True}
    return MigrationContext.configure(connection, opts={**options, "compare_server_default": True})


def differences_of_checks(connection: Connection, table: Table) -> Iterator[str]:
    """Alembic does not look at check constraints; their names tell what is missing and what is too many."""
    there = set(connection.exec_driver_sql(CHECKS, (f'public."{table.name}"',)).scalars())
    wanted = {
        str(connection.dialect.identifier_preparer.format_constraint(one)).strip('"')
        for one in table.constraints
        if isinstance(one, CheckConstraint)
    }
    yield from (f"{table.name} lacks the check {name}; make a revision" for name in sorted(wanted - there))
    yield from (f"{table.name} has the check {name}, its model not; make a revision" for name in sorted(there - wanted))


def told(difference: Any) -> str:
    """One of Alembic's differences in a line: `add_column invoices_invoice.due`."""
    if isinstance(difference, list):
        return ", ".join(map(told, difference))
    verb, *parts = difference
    if isinstance(parts[0], str) or parts[0] is None:  # schema, table, then column or its name
        _, table, column, *_ = parts
        return f"{verb} {table}.{getattr(column, 'name', column)}"
    table = getattr(getattr(parts[0], "table", None), "name", "")
    return f"{verb} {table}{'.' * bool(table)}{getattr(parts[0], 'name', parts[0])}"


def strangers(unit: Unit) -> Iterator[str]:
    """Tables of our owner that no revision made, and recorded ones that are gone or somebody else's."""
    there, known = relations(unit), owners(unit)
    for name, owner in there.items():
        if name in known and owner != unit.roles.owner:
            yield f"{name} belongs to the role {owner}, not to {unit.roles.owner}; alter its owner"
        if name not in known and owner == unit.roles.owner:
            yield f"{name} was made by no plugin's revision; drop it, or let its plugin make it"
    yield from (f"{name} of {known[name]} is gone; restore it" for name in sorted(known.keys() - there.keys()))
