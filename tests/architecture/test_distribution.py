"""The tables of every plugin could be spread over many machines by `tenant_id`, with Citus (docs/scaling.md).

Every upgrade looks at keys and indexes; this looks at what only a spread database refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Column, ForeignKeyConstraint, Identity, Integer, MetaData, Sequence, String, Table, Uuid, func
from sqlalchemy.schema import SchemaItem

from vinc_kernel.plugins.find import find
from vinc_testing import Database

ROOT = Path(__file__).parents[2]
MODULES = {one.name: one.module for one in find()} | {"invoices": "acme_invoices.plugin"}
# Citus refuses them in every spelling where the key contains the column that rows are spread by.
ON_DELETE, ON_UPDATE = ("SET NULL", "SET DEFAULT"), ("SET NULL", "SET DEFAULT", "CASCADE")


def is_owned(table: Table) -> bool:
    """Whether its rows belong to tenants."""
    return "tenant_id" in table.columns


def faults(tables: Iterable[Table]) -> list[str]:
    """One line for each thing that keeps these tables from being spread."""
    return [f"{table.name}: {what}" for table in tables for rule in (columns, keys) for what in rule(table)]


def columns(table: Table) -> Iterator[str]:
    """Tables stand together where `tenant_id` has one type; a sequence is one machine's."""
    if not is_owned(table):
        return
    if not isinstance(table.c.tenant_id.type, Uuid):
        yield f"tenant_id is {table.c.tenant_id.type}, not UUID"
    for column in table.columns:
        if (
            isinstance(column.default, Sequence)
            or isinstance(column.server_default, Identity)
            or "nextval" in str(getattr(column.server_default, "arg", "")).lower()
            or column is table.autoincrement_column
        ):
            yield f"{column.name} takes its numbers from a sequence"


def keys(table: Table) -> Iterator[str]:
    for key in table.foreign_key_constraints:
        said = f"the foreign key to {key.referred_table.name}"
        if is_owned(key.referred_table) and not is_owned(table):
            yield f"{said} leads to a table that is spread from one that is not"
        if is_owned(table) and "tenant_id" in key.column_keys:
            if (key.ondelete or "").upper().startswith(ON_DELETE):
                yield f"{said} has `on delete {key.ondelete}`"
            if (key.onupdate or "").upper().startswith(ON_UPDATE):
                yield f"{said} has `on update {key.onupdate}`"


def tables_of(plugin: str) -> list[Table]:
    """What a plugin says that its tables are, and whatever else it has put beside them."""
    models: Any = import_module(MODULES[plugin]).contribute().models
    beside = [table for model in models for table in model.metadata.tables.values()]
    own = {table.name: table for table in beside if table.name.startswith(f"{plugin}_")}
    return list({**own, **{model.__table__.name: model.__table__ for model in models}}.values())


@pytest.fixture(autouse=True)
def example_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example is importable where it is not installed."""
    if find_spec("acme_invoices") is None:
        monkeypatch.syspath_prepend(ROOT / "examples/acme-invoices")


@pytest.mark.parametrize("plugin", sorted(MODULES))
def test_the_tables_of_a_plugin_can_be_spread(plugin: str) -> None:
    assert faults(tables_of(plugin)) == []


def test_there_are_tables_of_both_kinds_to_look_at() -> None:
    found = [table for plugin in MODULES for table in tables_of(plugin)]

    assert {is_owned(table) for table in found} == {True, False}


def test_no_migration_leaves_a_trigger_behind(vinc_database: Database) -> None:
    query = "select tgrelid::regclass::text, tgname from pg_trigger where not tgisinternal"

    assert vinc_database.admin.execute(query).fetchall() == []


def test_no_migration_gives_a_sequence_to_a_table_of_tenants(vinc_database: Database) -> None:
    query = """
        select refobjid::regclass::text, s.oid::regclass::text from pg_class s
        join pg_depend on objid = s.oid and classid = 'pg_class'::regclass and refclassid = 'pg_class'::regclass
        join pg_attribute on attrelid = refobjid and attname = 'tenant_id' where relkind = 'S'
    """

    assert vinc_database.admin.execute(query).fetchall() == []


def tenant() -> Column[UUID]:
    return Column("tenant_id", Uuid, primary_key=True)


def key() -> Column[UUID]:
    return Column("id", Uuid, primary_key=True)


def to_parent(*names: str, **actions: str) -> list[SchemaItem]:
    constraint = ForeignKeyConstraint(names, ["x_parent.tenant_id", "x_parent.id"], **actions)  # type: ignore[arg-type]  # actions are texts
    return [*(Column(name, Uuid) for name in names if name != "tenant_id"), constraint]


FITS = [
    [tenant(), key(), *to_parent("tenant_id", "parent_id", ondelete="CASCADE")],
    [tenant(), key(), Column("to", Uuid), ForeignKeyConstraint(["to"], ["x_reference.id"], ondelete="SET NULL")],
    [tenant(), key(), Column("n", Integer, server_default="7", onupdate=8)],
    [Column("id", Integer, primary_key=True)],
]
DOES_NOT: list[tuple[list[SchemaItem], str]] = [
    ([Column("tenant_id", String, primary_key=True), key()], "tenant_id is VARCHAR, not UUID"),
    (
        [tenant(), key(), *to_parent("tenant_id", "parent_id", ondelete="SET NULL (parent_id)")],
        "the foreign key to x_parent has `on delete SET NULL (parent_id)`",
    ),
    (
        [tenant(), key(), *to_parent("tenant_id", "parent_id", onupdate="cascade")],
        "the foreign key to x_parent has `on update cascade`",
    ),
    (
        [key(), *to_parent("a", "b")],
        "the foreign key to x_parent leads to a table that is spread from one that is not",
    ),
    ([tenant(), key(), Column("n", Integer, Identity())], "n takes its numbers from a sequence"),
    ([tenant(), key(), Column("n", Integer, Sequence("s"))], "n takes its numbers from a sequence"),
    ([tenant(), key(), Column("n", Integer, server_default=func.nextval("s"))], "n takes its numbers from a sequence"),
    ([tenant(), Column("n", Integer, primary_key=True, autoincrement=True)], "n takes its numbers from a sequence"),
]


def table_of(items: list[SchemaItem]) -> Table:
    """This table, beside a table of tenants and one that every machine may have a copy of."""
    metadata = MetaData()
    Table("x_parent", metadata, tenant(), key())
    Table("x_reference", metadata, key())
    return Table("x_table", metadata, *items)


@pytest.mark.parametrize("items", FITS)
def test_such_a_table_can_be_spread(items: list[SchemaItem]) -> None:
    assert faults([table_of(items)]) == []


@pytest.mark.parametrize(("items", "fault"), DOES_NOT, ids=[fault for _, fault in DOES_NOT])
def test_such_a_table_is_refused(items: list[SchemaItem], fault: str) -> None:
    assert faults([table_of(items)]) == [f"x_table: {fault}"]
