"""What `vinc db revision` writes: protected in both directions, and accepted by `vinc db check` on a table in use."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import mapped_column

from vinc_kernel.database.base import Base, TenantOwned
from vinc_kernel.database.versions import History
from vinc_kernel.errors import DatabaseError
from vinc_migrations.check import check
from vinc_migrations.write import write_revision

from .conftest import ACME, GLOBEX, Ground


def thing(owner: type[Base] = TenantOwned, *arguments: Any, **columns: Any) -> type[Base]:
    """A model of `things_thing`, apart from every other one."""
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)
    apart = type(f"Apart{uuid4().hex}", (owner,), {"__abstract__": True, "metadata": metadata})
    body = {"__tablename__": "things_thing", "__table_args__": arguments, "name": mapped_column(Text, nullable=False)}
    return type(f"Thing{uuid4().hex}", (apart,), {**body, **columns})


def write(ground: Ground, history: History, *models: type[Base]) -> Path:
    return write_revision(ground.url(ground.roles.migrator), history, "More", models=models, options=ground.options)


def findings(ground: Ground, history: History, *models: type[Base]) -> list[str]:
    return check(ground.url(ground.roles.migrator), [history], {history.plugin: models}, ground.options)


def filled(ground: Ground, **columns: Any) -> History:
    """The table in use, with rows of two tenants."""
    history = ground.written("things", thing(**columns))
    for tenant in (ACME, GLOBEX):
        rows = f"select '{tenant}', gen_random_uuid(), 'n' || n from generate_series(1, 2) n"
        ground.do(f"insert into things_thing (tenant_id, id, name) {rows}")
    return history


def test_a_dropped_tenants_table_comes_back_protected(ground: Ground) -> None:
    model = thing(TenantOwned, __append_only__=True)
    history = ground.written("things", model)
    first = ground.current(history)["things"] or ""
    file = write(ground, history)
    ground.up(history)
    assert ground.rows("select to_regclass('things_thing')") == [(None,)]

    ground.down(history, first)

    assert 'enable_append_only("things_thing")' in file.read_text()
    file.unlink()
    assert findings(ground, history, model) == []


CHANGES: dict[str, Callable[[], type[Base]]] = {
    "index": lambda: thing(TenantOwned, Index("ix_n", "tenant_id", "name")),
    "unique index": lambda: thing(TenantOwned, Index("ix_n", "tenant_id", "name", unique=True)),
    "partial index": lambda: thing(
        TenantOwned, Index("ix_n", "tenant_id", "name", postgresql_where=text("name <> ''"))
    ),
    "unique": lambda: thing(TenantOwned, UniqueConstraint("tenant_id", "name", name="uq_n")),
    "check": lambda: thing(TenantOwned, CheckConstraint("name <> ''", name="n")),
    "foreign key": lambda: thing(
        TenantOwned,
        ForeignKeyConstraint(["tenant_id", "id"], ["things_thing.tenant_id", "things_thing.id"], name="fk_n"),
    ),
    "required column": lambda: thing(more=mapped_column(Text, nullable=False)),
    "column with a default": lambda: thing(more=mapped_column(Text, nullable=False, server_default="x")),
    "column with a volatile default": lambda: thing(more=mapped_column(Integer, Identity())),
    "type": lambda: thing(name=mapped_column(Integer)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_written_for_a_table_in_use_is_accepted_and_runs(ground: Ground, change: str) -> None:
    history, model = filled(ground), CHANGES[change]()
    first = ground.current(history)["things"] or ""
    write(ground, history, model)

    assert not [line for line in findings(ground, history, model) if line.startswith("things: ") and ".py:" in line]
    ground.up(history)
    ground.down(history, first)
    ground.up(history)
    assert ground.rows("select count(*) from things_thing") == [(4,)]


def test_a_constraint_is_validated_by_the_revision_after_it(ground: Ground) -> None:
    history, model = filled(ground), CHANGES["check"]()
    write(ground, history, model)
    ground.up(history)
    assert any("is not validated" in line for line in findings(ground, history, model))
    write(ground, history, model)
    ground.up(history)

    assert findings(ground, history, model) == []


def test_an_index_waits_for_a_revision_of_its_own(ground: Ground) -> None:
    history = filled(ground)
    model = thing(TenantOwned, Index("ix_n", "tenant_id", "more"), more=mapped_column(Text, nullable=True))
    assert "# create_index_concurrently" in write(ground, history, model).read_text()
    ground.up(history)
    write(ground, history, model)
    ground.up(history)

    assert findings(ground, history, model) == []


def test_a_column_that_must_not_be_null_says_what_to_do(ground: Ground) -> None:
    history, model = filled(ground, more=mapped_column(Text, nullable=True)), CHANGES["required column"]()
    text = write(ground, history, model).read_text()

    assert "# add a check that it is not null" in text
    assert findings(ground, history, model)[0].startswith("things: the database is at ")


def test_an_old_table_that_becomes_a_tenants_gets_key_policy_and_a_place_for_whose_rows_they_are(
    ground: Ground,
) -> None:
    old = thing(Base, name=mapped_column(Text, primary_key=True))
    history = ground.written("things", old)
    ground.do("insert into things_thing (name) values ('a'), ('b')")
    model = thing(TenantOwned)
    first = ground.current(history)["things"] or ""
    file = write(ground, history, model)

    assert not [line for line in findings(ground, history, model) if ".py:" in line]
    with pytest.raises(DatabaseError, match="syntax error"):
        ground.up(history)
    file.write_text(file.read_text().replace("(select ...)", f"\\'{ACME}\\'"))
    ground.up(history)
    assert ground.rows("select count(*) from things_thing", ground.roles.app) == [(0,)]
    assert ground.rows("select count(*) from things_thing where tenant_id is not null") == [(2,)]
    assert findings(ground, history, model) == []
    ground.down(history, first)
    assert ground.rows("select count(*) from things_thing", ground.roles.app) == [(2,)]


def test_a_tenants_table_that_becomes_everybodys_loses_its_policies_first(ground: Ground) -> None:
    history = filled(ground)
    write(ground, history, thing(Base, name=mapped_column(Text, primary_key=True)))
    ground.do(f"delete from things_thing where name <> 'n1' or tenant_id <> '{ACME}'")

    ground.up(history)

    assert ground.rows("select count(*) from things_thing", ground.roles.app) == [(1,)]
