"""One row of one tenant: read and written through the whole stack, beside what can be had without Vinc."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from vinc_testing.embedded.postgres import SUPERUSER, PostgresServer

from .compare import Outcome, Rounds, Side, compare
from .generate import write_rows
from .load import Target
from .report import Line, at_most, ratio
from .server import Server, environment, started, uvicorn
from .sso import TENANT, signed_in
from .yardsticks import CONNECTIONS, TABLE

ROLE, DATABASE = "rows_app", "rows"
GRANT = "grant select, insert, update, delete on rows_row to rows_app"


def read(rounds: Rounds, postgres: PostgresServer) -> Iterator[Line]:
    """A route with a guard and a repository, against psycopg alone and against FastAPI's usual way."""
    ids = prepared(postgres)
    one = [f"/api/v1/rows/{ids[0]}"]
    constant, built = Target(one, signed_in()), Target([f"/api/v1/rows/built/{ids[0]}"], signed_in())
    writes = Target([f"/api/v1/rows/{each}" for each in ids], signed_in(), "POST")
    with servers(rounds, postgres) as (vinc, raw, usual):

        def against(other: Server, ours: Target, theirs: Target = constant) -> Outcome:
            return compare(Side(vinc, ours), Side(other, theirs), rounds)

        found = against(raw, constant)
        yield ratio("one row, constant statement, to raw psycopg", found, 1.0)
        yield at_most("one row: p99 to p50", found.p99 / found.p50, 3, "x", f"{found.p50:.1f} and {found.p99:.1f} ms")
        yield ratio("one row, statement built per call, to raw psycopg", against(raw, built), 0.75)
        yield ratio("one row, constant statement, to the usual way", against(usual, constant), 4.0)
        yield ratio("one row written, to raw psycopg", against(raw, writes, writes), 0.9)


def prepared(postgres: PostgresServer) -> list[str]:
    """Make the table of 100 tenants with 100 rows each; the ids of the one that is asked for."""
    with psycopg.connect(postgres.url(SUPERUSER, SUPERUSER).replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute(f"create role {ROLE} login".encode())
        admin.execute(f"create database {DATABASE}".encode())
    with psycopg.connect(postgres.url(SUPERUSER, DATABASE).replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute(TABLE.encode())
        admin.execute(GRANT)
        ids = admin.execute("select id from rows_row where tenant_id = %s order by id", [TENANT]).fetchall()
    return [str(one) for (one,) in ids]


@contextmanager
def servers(rounds: Rounds, postgres: PostgresServer) -> Iterator[tuple[Server, Server, Server]]:
    directory = rounds.scratch / "rows"
    directory.mkdir()
    address = postgres.url(ROLE, DATABASE)
    environ = environment(
        directory,
        VINC_PLUGINS_FILE=str(write_rows(directory)),
        VINC_LOG_LEVEL="warning",
        VINC_DATABASE_URL=address,
        VINC_DB_POOL_SIZE=str(CONNECTIONS),
        VINC_DB_MAX_OVERFLOW="0",
        BENCH_DATABASE_URL=address,
    )

    with (
        started("vinc", uvicorn("apps:generated"), environ, rounds.scratch) as vinc,
        started("raw", uvicorn("yardsticks:raw"), environ, rounds.scratch) as raw,
        started("usual", uvicorn("yardsticks:usual"), environ, rounds.scratch) as usual,
    ):
        yield vinc, raw, usual
