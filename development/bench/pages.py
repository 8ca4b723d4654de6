"""A page of 50 rows through row level security: beside the same query by hand, and with ever more tenants."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from vinc_kernel.database.roles import Roles
from vinc_testing.embedded.postgres import PostgresServer

from .compare import Outcome, Rounds, in_turns
from .lookups import lookups
from .ready import migrate
from .report import Line, ratio
from .server import environment
from .table import PLAIN, Asking, Rows

DATABASE = "pages"
SECONDS = 1.0  # one connection and nothing between: that is enough for thousands of pages
by_tenant = re.compile(r"Index Cond: \(\(tenant_id = ").search


def page(rounds: Rounds, postgres: PostgresServer) -> Iterator[Line]:
    """At 1,000 tenants and a million rows, to `where tenant_id = ...` by a role that no policy binds."""
    database(rounds, postgres)
    rows = Rows(postgres, DATABASE, tenants=1_000, each=1_000)
    places = rows.make()
    with rows.asking(Roles().app, places) as ours, rows.asking(PLAIN, places) as theirs:
        yield ratio("page of 50 through the policy, to plain where", compared(ours, theirs, rounds), 0.9)
    plan = rows.plan(places[0])
    is_met = f"using {rows.table}_pkey" in plan and by_tenant(plan) is not None
    yield Line("its plan, below", "index" if is_met else "other", "index", is_met, below=plan)


def tenants(rounds: Rounds, postgres: PostgresServer) -> Iterator[Line]:
    """At 10,000 tenants with 100 rows each, to 10 such; and how soon a request knows its tenant."""
    environ = database(rounds, postgres)
    many, few = (Rows(postgres, DATABASE, tenants=count, each=100) for count in (10_000, 10))
    with many.asking(Roles().app, many.make()) as ours, few.asking(Roles().app, few.make()) as theirs:
        yield ratio("page at 10,000 tenants, to 10", compared(ours, theirs, rounds), 0.9)
    yield from lookups(environ, postgres, DATABASE, rounds.count)


def database(rounds: Rounds, postgres: PostgresServer) -> Mapping[str, str]:
    """Make the database and its roles, as an operator does; the settings of an application on it."""
    manifest = rounds.scratch / "pages.toml"
    manifest.write_text("[plugins.health]\n[plugins.tenants]\n")
    address = postgres.url(Roles().app, DATABASE)
    environ = environment(VINC_PLUGINS_FILE=str(manifest), VINC_DATABASE_URL=address)
    migrate(environ, postgres, rounds.scratch, DATABASE)
    return environ


def compared(ours: Asking, theirs: Asking, rounds: Rounds) -> Outcome:
    for side in (ours, theirs):
        side.measure(SECONDS)
    return in_turns(lambda: ours.measure(SECONDS), lambda: theirs.measure(SECONDS), rounds.count)
