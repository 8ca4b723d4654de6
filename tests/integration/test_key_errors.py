"""A key that refuses a row is a conflict that names its fields, from the models and never with a value."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint, bindparam, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped
from sqlalchemy.schema import CreateIndex, CreateTable

from vinc_kernel.database.base import Base, TenantOwned
from vinc_kernel.database.failures import to_problem
from vinc_kernel.database.postgres import Postgres
from vinc_kernel.database.scope import Scope
from vinc_kernel.database.session import DatabaseSession
from vinc_kernel.errors import Conflict, Unprocessable

from ..conftest import OURS
from .things import NAMES, Thing

ONE, TWO, MISSING = UUID(int=1), UUID(int=2), UUID(int=3)


@pytest.fixture
def keyed(admin: psycopg.Connection) -> Generator[psycopg.Connection]:
    class Parent(TenantOwned):
        __tablename__ = "keyed_parent"
        number: Mapped[str]
        __table_args__ = (UniqueConstraint("tenant_id", "number"),)

    class Child(TenantOwned):
        __tablename__ = "keyed_child"
        parent_id: Mapped[UUID]
        code: Mapped[str]
        a_name_so_long_that_the_key_has_to_be_cut: Mapped[str | None]
        __table_args__ = (
            ForeignKeyConstraint(["tenant_id", "parent_id"], ["keyed_parent.tenant_id", "keyed_parent.id"]),
            Index(None, "tenant_id", "parent_id", "code", unique=True),
            UniqueConstraint("tenant_id", "a_name_so_long_that_the_key_has_to_be_cut"),
        )

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's
    tables: list[Any] = [Parent.__table__, Child.__table__]
    for table in tables:
        for statement in (CreateTable(table), *map(CreateIndex, table.indexes)):
            admin.execute(str(statement.compile(dialect=dialect)).encode())
    admin.execute("insert into keyed_parent (tenant_id, id, number) values (%s, %s, 'n')", [OURS, ONE])
    admin.execute(
        "insert into keyed_child (tenant_id, id, parent_id, code, a_name_so_long_that_the_key_has_to_be_cut)"
        " values (%s, %s, %s, 'c', 'x')",
        [OURS, ONE, ONE],
    )
    yield admin
    for table in reversed(tables):
        admin.execute(f"drop table {table.name}".encode())
        Base.metadata.remove(table)
    Base.registry._dispose_cls(Parent)  # nobody else shall see these classes
    Base.registry._dispose_cls(Child)


PARENT = "insert into keyed_parent (tenant_id, id, number) values ('{ours}', '{id}', '{number}')"
CHILD = (
    "insert into keyed_child (tenant_id, id, parent_id, code, a_name_so_long_that_the_key_has_to_be_cut)"
    " values ('{ours}', '{two}', '{parent}', '{code}', '{long}')"
)


@pytest.mark.parametrize(
    ("statement", "fields"),
    [
        (PARENT.format(ours=OURS, id=TWO, number="n"), {("/number", "taken")}),
        (PARENT.format(ours=OURS, id=ONE, number="m"), set()),
        (CHILD.format(ours=OURS, two=TWO, parent=MISSING, code="d", long="y"), {("/parent_id", "unknown")}),
        (
            CHILD.format(ours=OURS, two=TWO, parent=ONE, code="c", long="y"),
            {("/parent_id", "taken"), ("/code", "taken")},
        ),
        (
            CHILD.format(ours=OURS, two=TWO, parent=ONE, code="d", long="x"),
            {("/a_name_so_long_that_the_key_has_to_be_cut", "taken")},
        ),
        ("delete from keyed_parent", set()),
    ],
)
def test_a_key_names_the_fields_that_a_caller_sent(
    keyed: psycopg.Connection, statement: str, fields: set[tuple[str, str]]
) -> None:
    with pytest.raises(psycopg.IntegrityError) as refused:
        keyed.execute(statement.encode())
    problem = to_problem(refused.value)

    assert isinstance(problem, Conflict)
    assert {(fault.pointer, fault.code) for fault in problem.errors} == fields
    assert {fault.place for fault in problem.errors} <= {"body"}


@pytest.mark.parametrize("by", ["core", "orm"])
async def test_more_values_than_a_statement_can_have_are_the_callers_fault(things: Postgres, by: str) -> None:
    statement = select(Thing).where(Thing.qty.in_(bindparam("these", expanding=True)))
    unit = things.unit(Scope(OURS))
    many = {"these": list(range(65_536))}
    with pytest.raises(Unprocessable, match="65535"):
        await (unit.orm().execute(statement, many) if by == "orm" else DatabaseSession(unit).all(statement, dict, many))

    assert by == "orm" or await DatabaseSession(unit).all(NAMES, dict) == []
    await unit.close()
