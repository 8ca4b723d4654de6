"""The tables of every plugin could be spread over many machines by `tenant_id` (docs/scaling.md)."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    Sequence,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    event,
    func,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.schema import FetchedValue

from vinc_kernel.plugins.find import find
from vinc_testing import Database

from .distribution import faults, is_owned

ROOT = Path(__file__).parents[2]
EXAMPLE = "acme_invoices.plugin"
MODULES = {one.name: one.module for one in find()} | {"invoices": EXAMPLE}


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


def owned(*more: Any) -> Callable[[MetaData], Table]:
    return lambda metadata: Table("x_owned", metadata, tenant(), key(), *more)


def together(*keys: str, ondelete: str | None = None, onupdate: str | None = None) -> ForeignKeyConstraint:
    to = ["x_parent.tenant_id", "x_parent.id"]
    return ForeignKeyConstraint(list(keys), to, ondelete=ondelete, onupdate=onupdate)


def parent() -> Column[UUID]:
    return Column("parent_id", Uuid)


def with_trigger(metadata: MetaData) -> Table:
    made = owned()(metadata)
    create = "create trigger t before update on x_owned execute function f()"
    event.listen(made, "after_create", lambda _table, connection, **_: connection.exec_driver_sql(create))
    return made


FITS = [
    owned(),
    owned(Column("code", String), UniqueConstraint("tenant_id", "code")),
    owned(Column("code", String), Index("u", "tenant_id", func.lower("code"), unique=True), Index("i", "code")),
    owned(parent(), together("tenant_id", "parent_id", ondelete="CASCADE")),
    owned(ExcludeConstraint(("tenant_id", "="), ("id", "="))),
    owned(Column("to", Uuid), ForeignKeyConstraint(["to"], ["x_reference.id"], ondelete="SET NULL")),
    owned(Column("n", Integer, server_default="7", onupdate=8)),
    lambda metadata: Table("x_kind", metadata, Column("id", Integer, primary_key=True)),
]
DOES_NOT: list[tuple[Callable[[MetaData], Table], str]] = [
    (lambda m: Table("x_owned", m, Column("tenant_id", Uuid), key()), "x_owned: tenant_id may be null"),
    (
        lambda m: Table("x_owned", m, Column("tenant_id", String, primary_key=True), key()),
        "x_owned: tenant_id is VARCHAR, not UUID",
    ),
    (
        lambda m: Table("x_owned", m, Column("tenant_id", Uuid, nullable=False), key()),
        "x_owned: the primary key does not begin with tenant_id",
    ),
    (lambda m: Table("x_owned", m, key(), tenant()), "x_owned: the primary key does not begin with tenant_id"),
    (
        owned(Column("code", String, unique=True)),
        "x_owned: the unique constraint on code does not begin with tenant_id",
    ),
    (
        owned(Column("code", String), UniqueConstraint("code", "tenant_id")),
        "x_owned: the unique constraint on code, tenant_id does not begin with tenant_id",
    ),
    (
        owned(Column("code", String), Index("u", "code", "tenant_id", unique=True)),
        "x_owned: the unique index u does not begin with tenant_id",
    ),
    (
        owned(Column("code", String), Index("u", func.lower("code"), unique=True)),
        "x_owned: the unique index u does not begin with tenant_id",
    ),
    (
        owned(ExcludeConstraint(("id", "="), name="e")),
        "x_owned: the exclusion constraint e does not compare tenant_id by =",
    ),
    (
        owned(parent(), ForeignKeyConstraint(["parent_id"], ["x_parent.id"])),
        "x_owned: the foreign key to x_parent does not begin with tenant_id on both sides",
    ),
    (
        owned(parent(), ForeignKeyConstraint(["parent_id", "tenant_id"], ["x_parent.id", "x_parent.tenant_id"])),
        "x_owned: the foreign key to x_parent does not begin with tenant_id on both sides",
    ),
    (
        owned(parent(), together("parent_id", "tenant_id")),
        "x_owned: the foreign key to x_parent does not begin with tenant_id on both sides",
    ),
    (
        owned(parent(), together("tenant_id", "parent_id", ondelete="SET NULL (parent_id)")),
        "x_owned: the foreign key to x_parent has `on delete set null (parent_id)`",
    ),
    (
        owned(parent(), together("tenant_id", "parent_id", onupdate="CASCADE")),
        "x_owned: the foreign key to x_parent has `on update cascade`",
    ),
    (
        lambda m: Table("x_other", m, key(), Column("a", Uuid), Column("b", Uuid), together("a", "b")),
        "x_other: the foreign key to x_parent leads to a table that is spread from one that is not",
    ),
    (owned(Column("n", Integer, Identity())), "x_owned: n takes its numbers from a sequence"),
    (owned(Column("n", Integer, Sequence("s"))), "x_owned: n takes its numbers from a sequence"),
    (
        owned(Column("n", Integer, server_default=func.nextval("s"))),
        "x_owned: n takes its numbers from a sequence",
    ),
    (
        lambda m: Table("x_owned", m, tenant(), Column("n", Integer, primary_key=True, autoincrement=True)),
        "x_owned: n takes its numbers from a sequence",
    ),
    (
        owned(Column("at", String, server_default=FetchedValue())),
        "x_owned: at is filled in by a trigger",
    ),
    (
        owned(Column("at", String, server_onupdate=FetchedValue())),
        "x_owned: at is filled in by a trigger",
    ),
    (with_trigger, "x_owned: something is done after create: what it does is not seen here"),
]


def neighbours() -> MetaData:
    """A table of tenants and one that every machine may have a copy of, to refer to."""
    metadata = MetaData()
    Table("x_parent", metadata, tenant(), key())
    Table("x_reference", metadata, key())
    return metadata


@pytest.mark.parametrize("make", FITS)
def test_such_a_table_can_be_spread(make: Callable[[MetaData], Table]) -> None:
    assert faults([make(neighbours())]) == []


@pytest.mark.parametrize(("make", "fault"), DOES_NOT, ids=[fault for _, fault in DOES_NOT])
def test_such_a_table_is_refused(make: Callable[[MetaData], Table], fault: str) -> None:
    assert fault in faults([make(neighbours())])
