"""Whatever a model adds to `TenantOwned`, its rows have a tenant and an id made here, and its key begins with both."""

from collections.abc import Mapping
from typing import Any
from uuid import RFC_4122, UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import DefaultClause, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import mapped_column
from sqlalchemy.sql.schema import CallableColumnDefault

from vinc_kernel.database.base import TENANT, TenantOwned

KINDS = [Text, Integer, Uuid]
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True).filter(
    lambda name: name not in {"id", "tenant_id", "metadata", "registry"}
)
COLUMNS = st.dictionaries(NAMES, st.tuples(st.sampled_from(KINDS), st.booleans()), max_size=6)


def table(columns: Mapping[str, tuple[Any, bool]]) -> Table:
    """The table of a model with these columns: by name their kind, and whether they belong to the primary key."""
    made = {name: mapped_column(kind, primary_key=is_key) for name, (kind, is_key) in columns.items()}
    apart = type("Apart", (TenantOwned,), {"__abstract__": True, "metadata": MetaData()})
    name = f"Thing{uuid4().hex}"  # SQLAlchemy wants each only once
    found = getattr(type(name, (apart,), {"__tablename__": "things_thing", **made}), "__table__", None)
    assert isinstance(found, Table)
    return found


@given(COLUMNS)
def test_the_key_begins_with_the_tenant_that_the_database_fills_in_and_our_id(
    columns: Mapping[str, tuple[Any, bool]],
) -> None:
    made = table(columns)

    keys = [name for name, (_, is_key) in columns.items() if is_key]
    assert [column.name for column in made.primary_key] == ["tenant_id", "id", *keys]
    assert [column.name for column in made.columns] == ["tenant_id", "id", *columns]
    tenant, own = made.c.tenant_id, made.c.id
    assert (tenant.nullable, tenant.default) == (False, None)
    assert isinstance(tenant.server_default, DefaultClause)
    assert str(tenant.server_default.arg) == TENANT
    assert (own.nullable, own.server_default) == (False, None)
    assert isinstance(own.default, CallableColumnDefault)
    ids: list[UUID] = [own.default.arg(DefaultExecutionContext()) for _ in range(3)]
    assert [(one.version, one.variant) for one in ids] == [(7, RFC_4122)] * 3
    assert ids == sorted(set(ids))
