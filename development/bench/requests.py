"""One request through the whole stack: a public route, and a guarded one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vinc_kernel.database.roles import Roles
from vinc_testing.embedded.postgres import SUPERUSER, PostgresServer

from .compare import Outcome, Rounds, Side, compare
from .generate import write_plugins
from .load import Target
from .ready import migrate
from .report import Line, ratio
from .server import UVICORN, environment, started
from .sso import signed_in


@dataclass(frozen=True, slots=True)
class Logs:
    """What both sides write for a request: ours our structured line, bare FastAPI uvicorn's access log; or nothing."""

    name: str
    level: str
    options: Sequence[str]


ON, OFF = Logs("logs on", "info", ()), Logs("logs off", "warning", ("--no-access-log",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Our application and the one it is measured against, both as uvicorn is told."""

    ours: Sequence[str]
    theirs: Sequence[str]
    manifest: Path
    target: Target
    database: str = SUPERUSER


def health(rounds: Rounds, postgres: PostgresServer) -> Iterator[Line]:
    """`GET /api/v1/health` of the application that `vinc serve` runs."""
    manifest = rounds.scratch / "health.toml"
    manifest.write_text("[plugins.health]\n")
    pair = Pair(
        ours=["vinc_kernel.main:app"],
        theirs=["development.bench.bare:health", "--factory"],
        manifest=manifest,
        target=Target(["/api/v1/health"], {}),
    )
    yield ratio("health to bare FastAPI, both logs on", measured(pair, ON, rounds, postgres), 0.95)
    yield ratio("health to bare FastAPI, both logs off", measured(pair, OFF, rounds, postgres))


def guarded(rounds: Rounds, postgres: PostgresServer) -> Iterator[Line]:
    """A route behind a capability, for somebody with a real token whom the plugin identity knows.

    Beside the same one without any guard, and beside the same check written as a dependency of FastAPI.
    """
    directory = rounds.scratch / "guarded"
    directory.mkdir()
    bare = Pair(
        ours=["development.bench.apps:generated", "--factory"],
        theirs=["development.bench.bare:thing", "--factory"],
        manifest=write_plugins(directory, 1, literal=True, others=["identity"]),
        target=Target(["/api/v1/p000/thing"], signed_in()),
        database="guarded",
    )
    address = postgres.url(Roles().app, bare.database)
    environ = environment(directory, VINC_PLUGINS_FILE=str(bare.manifest), VINC_DATABASE_URL=address)
    migrate(environ, postgres, rounds.scratch, bare.database)
    yield ratio("guarded to bare unguarded, both logs on", measured(bare, ON, rounds, postgres), 0.9)
    yield ratio("guarded to bare unguarded, both logs off", measured(bare, OFF, rounds, postgres))
    same = replace(bare, theirs=["development.bench.bare:guarded", "--factory"])
    yield ratio("guarded to the check as a dependency, logs on", measured(same, ON, rounds, postgres), 1.05)
    yield ratio("guarded to the check as a dependency, logs off", measured(same, OFF, rounds, postgres))


def measured(pair: Pair, logs: Logs, rounds: Rounds, postgres: PostgresServer) -> Outcome:
    environ = environment(
        pair.manifest.parent,
        VINC_PLUGINS_FILE=str(pair.manifest),
        VINC_LOG_LEVEL=logs.level,
        VINC_DATABASE_URL=postgres.url(SUPERUSER if pair.database == SUPERUSER else Roles().app, pair.database),
    )
    ours = [*UVICORN, *pair.ours, "--no-access-log"]
    theirs = [*UVICORN, *pair.theirs, *logs.options]
    with (
        started("vinc", ours, environ, rounds.scratch) as vinc,
        started("bare", theirs, environment(), rounds.scratch) as bare,
    ):
        return compare(Side(vinc, pair.target), Side(bare, pair.target), rounds)
