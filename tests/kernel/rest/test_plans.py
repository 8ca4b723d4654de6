"""Under row level security every declared filter and order is one that PostgreSQL takes an index for.

What is explained is what a session sends, by the application's role, among 20,000 rows of several tenants.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from fastapi import Request, Response
from psycopg import sql

from vinc_kernel.database.postgres import Postgres
from vinc_kernel.database.scope import Scope
from vinc_kernel.rest.pages import POSITION, ListQuery, narrow
from vinc_kernel.settings import Sources, read_settings
from vinc_testing import Database, Servers
from vinc_testing.running import pointing_at

from ...opening import postgres
from . import shelf

TENANTS, ROWS = [UUID(int=number) for number in range(1, 5)], 20_000
FILL = """
insert into shelf_item
  (tenant_id, id, name, code, small, qty, big, open, due, made, secret, note, price, mood)
select ('{' || lpad(to_hex(n %% 4 + 1), 32, '0') || '}')::uuid, lpad(to_hex(n), 32, '0')::uuid, 'name ' || n,
  lpad(to_hex(n), 32, '0')::uuid, n %% 30000, n, n, n %% 1000 < 100, date '2000-01-01' + n,
  timestamptz '2026-01-01 00:00Z' + n * interval '1 minute', '', 'note ' || n, 0, 'glad'
from generate_series(0, %s) n
"""
# Two values for each kind of column; both stand in the first tenant. A tenth of its rows is open: the index of another
# order would do as well.
VALUES: dict[str, tuple[Any, Any]] = {
    "name": ("name 4000", "name 4004"),
    "note": ("note 4000", "note 4004"),
    "code": (UUID(int=4000), UUID(int=4004)),
    "small": (4000, 4004),
    "qty": (4000, 4004),
    "big": (4000, 4004),
    "open": ("true", "true&order_by=open"),
    "due": ("2010-12-14", "2010-12-18"),
    "made": ("2026-01-03T18:40:00Z", "2026-01-03T18:44:00Z"),
}
AFTER: dict[str, Any] = {
    **{name: one for name, (one, _) in VALUES.items()},
    "open": False,
    "due": date(2010, 12, 14),
    "made": datetime(2026, 1, 3, 18, 40, tzinfo=UTC),
    "id": UUID(int=4000),
}
RANGED = [name.removesuffix("_from") for name in shelf.LISTING.filters if name.endswith("_from")]
FILTERS = {
    **{f"{name}: one": (name, f"{name}={other}") for name, (_, other) in VALUES.items()},
    **{f"{name}: several": (name, f"{name}={one}&{name}={other}") for name, (one, other) in VALUES.items()},
    **{f"{name}: range": (name, f"{name}_from={VALUES[name][0]}&{name}_before={VALUES[name][1]}") for name in RANGED},
}
INDEXED = {key: given for key, given in FILTERS.items() if given[0] in shelf.ORDERED}


@dataclass(frozen=True)
class Plans:
    """What PostgreSQL says of a list, asked as the application's role within the first tenant."""

    postgres: Postgres

    async def of(self, query: str, *, after: Any = None) -> list[dict[str, Any]]:
        """Every node of the plan; `after`: of the page behind that value."""
        read = await asked_for(query)
        statement, values = read.narrowed(shelf.ALL)
        if after is not None:
            statement = narrow(shelf.ALL, read.order, read.conditions, further=True)
            values = {**values, **dict(zip(POSITION, (after, UUID(int=4000)), strict=False))}
        async with self.postgres.session(Scope(TENANTS[0], read_only=True)) as db:
            sent = db.compile(statement, values)
            explain = b"explain (format json) " + sent.statement.sql
            (answer,) = await db.unit.run([replace(sent, statement=replace(sent.statement, sql=explain))])
        ((plan,),) = answer.rows()
        (whole,) = json.loads(plan) if isinstance(plan, str) else plan
        return list(nodes(whole["Plan"]))


async def asked_for(query: str) -> ListQuery:
    """What the dependency of a route makes of a query string."""
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": query.encode()})
    read: ListQuery = await shelf.LISTING.query.dependency(request=request, response=Response())
    return read


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def has_index(plan: list[dict[str, Any]], column: str) -> bool:
    """Whether a condition on the tenant and this column is answered by an index."""
    conditions = [words(node.get("Index Cond", "")) for node in plan]
    return any({"tenant_id", column} <= found for found in conditions)


def words(condition: str) -> set[str]:
    """The names of columns in it, without values and their types."""
    return set(re.findall(r"\w+", re.sub(r"'[^']*'|::[a-z]+", "", condition)))


def is_sorted(plan: list[dict[str, Any]]) -> bool:
    return any(node["Node Type"] == "Sort" for node in plan)


@pytest.fixture(scope="module")
def filled(vinc_servers: Servers, vinc_worker_database: Database) -> Generator[Database]:
    """The table with its rows, for all tests of this file."""
    with shelf.tables(vinc_worker_database, vinc_servers.prefix):
        vinc_worker_database.admin.execute(FILL, [ROWS])
        vinc_worker_database.admin.execute("analyze shelf_item")
        yield vinc_worker_database


@pytest.fixture
async def plans(vinc_servers: Servers, filled: Database, vinc_worker: str) -> AsyncGenerator[Plans]:
    settings, _ = read_settings(Sources(pointing_at(vinc_servers, filled.name, vinc_worker)))
    async with postgres(settings.database) as pool:
        yield Plans(pool)


@contextmanager
def without_index(database: Database, column: str) -> Generator[None]:
    name = f"ix_shelf_item_{column}"
    ((definition,),) = database.admin.execute("select pg_get_indexdef(%s::regclass)", [name]).fetchall()
    database.admin.execute(sql.SQL("drop index {}").format(sql.Identifier(name)))
    try:
        yield
    finally:
        database.admin.execute(str(definition).encode())


def test_every_declared_filter_is_explained_here() -> None:
    ends = [f"{name}_{end}" for name in RANGED for end in ("from", "before")]

    assert sorted([*VALUES, *ends]) == sorted(shelf.LISTING.filters)


async def test_the_plans_are_those_of_a_role_that_row_level_security_holds_for(plans: Plans) -> None:
    async with plans.postgres.session(Scope(TENANTS[0], read_only=True)) as db:
        page = await db.page(shelf.ALL, dict, await asked_for("limit=200&order_by=qty&qty_before=20"))

    assert [row["qty"] for row in page.items] == [0, 4, 8, 12, 16]
    assert {row["tenant_id"] for row in page.items} == {TENANTS[0]}


@pytest.mark.parametrize(("column", "query"), INDEXED.values(), ids=INDEXED)
async def test_a_filter_is_answered_by_the_index_of_its_column(plans: Plans, column: str, query: str) -> None:
    plan = await plans.of(query)

    assert has_index(plan, column), json.dumps(plan, indent=1)


@pytest.mark.parametrize("order", shelf.LISTING.orders)
async def test_an_order_is_that_of_an_index_on_the_first_page_and_behind_it(plans: Plans, order: str) -> None:
    column = order.removeprefix("-")
    first, further = await plans.of(f"order_by={order}"), await plans.of(f"order_by={order}", after=AFTER[column])

    assert not is_sorted(first), json.dumps(first, indent=1)
    assert not is_sorted(further), json.dumps(further, indent=1)
    assert has_index(further, column), "it begins where the one before ended"


@pytest.mark.parametrize("column", shelf.ORDERED)
async def test_a_column_that_loses_its_index_is_found_out(plans: Plans, filled: Database, column: str) -> None:
    queries = [query for name, query in FILTERS.values() if name == column]
    with without_index(filled, column):
        found = [has_index(await plans.of(query), column) for query in queries]
        orders = [is_sorted(await plans.of(f"order_by={sign}{column}")) for sign in ("", "-")]

    assert found == [False] * len(queries)
    assert orders == [True, True]
