"""A table of many tenants' rows under row level security, and who asks it for pages."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from statistics import quantiles
from typing import Any
from uuid import UUID

import psutil
import psycopg
from psycopg import sql

from vinc_kernel.database.roles import Roles
from vinc_migrations.operations import ENABLE, TENANT_POLICY
from vinc_testing.embedded.postgres import SUPERUSER, PostgresServer

from .compare import Measured
from .failed import BenchFailed
from .server import spent

PAGE, PLACES = 50, 100
PLAIN = "bench_plain"  # a role that no policy binds
# A tenant's rows lie side by side: what is measured is the query, not how many pages of the disk it meets.
MAKE = """
create table {table} (tenant_id uuid not null, id uuid not null, name text not null, amount numeric(12, 2) not null,
  created_at timestamptz not null);
insert into {table} select md5('tenant' || n / {each})::uuid, md5(n::text)::uuid, 'row ' || n, n / 100.0, now()
  from generate_series(0, {rows} - 1) n;
alter table {table} add constraint {key} primary key (tenant_id, id);
alter table {table} owner to {owner};
grant select on {table} to {app}, {plain};
"""
ROLE = "create role {plain} login bypassrls"
# Where a page may begin that is full.
PLACES_OF = """
select tenant_id, id
from (select *, row_number() over (partition by tenant_id order by id desc) as behind from {table}) places
where behind > {page} order by md5(id::text) limit {places}
"""
SCOPE = "select set_config('vinc.tenant_id', %s, true)"
SELECT = "select id, name, amount, created_at from {table} where "
AFTER = "id > %s order by id limit {page}"
GUARDED, BY_TENANT = SELECT + AFTER, SELECT + "tenant_id = %s and " + AFTER
EXPLAIN = "explain (analyze, costs off, timing off, summary off, buffers off) "

Place = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class Rows:
    """A table of so many tenants, with so many rows each."""

    server: PostgresServer
    database: str
    tenants: int
    each: int

    @property
    def table(self) -> str:
        return f"bench_{self.tenants}"

    @property
    def words(self) -> dict[str, sql.Composable]:
        names = {"table": self.table, "key": f"{self.table}_pkey", "plain": PLAIN}
        numbers = {"rows": self.tenants * self.each, "each": self.each, "page": PAGE, "places": PLACES}
        made: dict[str, sql.Composable] = Roles().sql_names()
        made |= {key: sql.Identifier(name) for key, name in names.items()}
        return made | {key: sql.Literal(number) for key, number in numbers.items()}

    def statement(self, text: str) -> sql.Composed:
        return sql.SQL(text).format(**self.words)

    @contextmanager
    def line(self, role: str) -> Iterator[psycopg.Connection]:
        host = str(self.server.socket_directory)
        with psycopg.connect(host=host, user=role, dbname=self.database, autocommit=True) as line:
            yield line

    def make(self) -> Sequence[Place]:
        """Make it; where pages may begin."""
        with self.line(SUPERUSER) as admin:
            if admin.execute("select to_regrole(%s) is null", [PLAIN]).fetchone() == (True,):
                admin.execute(self.statement(ROLE))
            admin.execute(self.statement(MAKE))
            admin.execute(self.statement(TENANT_POLICY + ENABLE))
            admin.execute(self.statement("vacuum analyze {table}"))
            found = admin.execute(self.statement(PLACES_OF)).fetchall()
        return [(tenant, place) for tenant, place in found]

    @contextmanager
    def asking(self, role: str, places: Sequence[Place]) -> Iterator[Asking]:
        """Whoever asks in this role: the policy picks the tenant's rows, or for PLAIN the query names the tenant."""
        with self.line(role) as line:
            query = self.statement(BY_TENANT if role == PLAIN else GUARDED)
            yield Asking(line, query, places, names_tenant=role == PLAIN)

    def plan(self, place: Place) -> str:
        """How PostgreSQL gets a page through the policy."""
        with self.line(Roles().app) as line, line.transaction():
            line.execute(SCOPE, [str(place[0])])
            found = line.execute(self.statement(EXPLAIN + GUARDED), [place[1]]).fetchall()
        return "\n".join(text for (text,) in found)


@dataclass(frozen=True, slots=True)
class Asking:
    """One connection that asks for pages. Both kinds set the scope beside the query, in one round trip."""

    line: psycopg.Connection
    query: sql.Composed
    places: Sequence[Place]
    names_tenant: bool

    def measure(self, seconds: float) -> Measured:
        """Pages/s, the backend's CPU, and how long a page takes; raises BenchFailed for one that is not full."""
        backend, places, times = psutil.Process(self.line.info.backend_pid), cycle(self.places), list[float]()
        before, begun = spent(backend), time.perf_counter()
        ended = begun
        while ended - begun < seconds:
            asked = ended
            if len(self.page(next(places))) != PAGE:
                raise BenchFailed(f"a page has not {PAGE} rows: {self.query.as_string()}")
            ended = time.perf_counter()
            times.append((ended - asked) * 1000)
        used = spent(backend) - before
        cuts = quantiles(times, n=100)
        return Measured(len(times) / (ended - begun), used / len(times), cuts[49], cuts[98])

    def page(self, place: Place) -> list[Any]:
        tenant, after = place
        with self.line.pipeline():
            self.line.execute(SCOPE, [str(tenant)], prepare=True)
            given = [tenant, after] if self.names_tenant else [after]
            answer = self.line.execute(self.query, given, prepare=True)
        return answer.fetchall()
