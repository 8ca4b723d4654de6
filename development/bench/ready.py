"""`vinc serve` with a migrated database: how soon it is ready, and how much memory a worker has."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from vinc_testing.embedded.postgres import SUPERUSER, PostgresServer
from vinc_testing.embedded.valkey import start_valkey

from .compare import Rounds
from .failed import BenchFailed
from .report import Line, at_most
from .server import UVICORN, environment, started, wait_until_ready

VINC = str(Path(sys.executable).with_name("vinc"))
BARE = [*UVICORN, "development.bench.libraries:app", "--factory"]
DATABASE = "vinc"


def ready(rounds: Rounds, postgres: PostgresServer) -> Iterator[Line]:
    """Beside a bare FastAPI application that imports the same libraries and opens nothing."""
    scratch = rounds.scratch
    manifest = scratch / "ready.toml"
    manifest.write_text("[plugins.health]\n[plugins.tenants]\n")
    valkey = start_valkey(scratch / "valkey", die_with_parent=True)
    try:
        environ = environment(
            VINC_PLUGINS_FILE=str(manifest),
            VINC_DATABASE_URL=postgres.url("vinc_app", DATABASE),
            VINC_REDIS_URL=valkey.url,
        )
        migrate(environ, postgres, scratch)
        ours: list[tuple[float, float]] = []
        theirs: list[tuple[float, float]] = []
        for _ in range(rounds.count + 1):
            ours.append(start([VINC, "serve"], environ, scratch))
            theirs.append(start(BARE, environment(), scratch))
    finally:
        valkey.stop()
    # The first round compiles modules and fills the disk's cache.
    yield from lines(ours[1:], theirs[1:])


def lines(ours: Sequence[tuple[float, float]], theirs: Sequence[tuple[float, float]]) -> Iterator[Line]:
    for column, what, limit, unit in ((0, "vinc serve ready", 1.7, "s"), (1, "memory of a worker", 1.2, "MB")):
        both = [(one[column], other[column]) for one, other in zip(ours, theirs, strict=True)]
        mine, bare = (median(side) for side in zip(*both, strict=True))
        found = median(one / other for one, other in both)
        yield at_most(f"{what}, to bare FastAPI", found, limit, "x", f"{mine:.2f} {unit} to {bare:.2f} {unit}")


def start(command: Sequence[str], environ: Mapping[str, str], scratch: Path) -> tuple[float, float]:
    """Seconds until it is ready, and its megabytes then."""
    begun = time.perf_counter()
    with started("ready", command, environ, scratch) as server:
        wait_until_ready(server, "/health/ready")
        return time.perf_counter() - begun, server.megabytes()


def migrate(environ: Mapping[str, str], postgres: PostgresServer, scratch: Path, database: str = DATABASE) -> None:
    """Make the database as an operator does it; raises BenchFailed."""
    more = {"VINC_DATABASE_MIGRATION_URL": postgres.url("vinc_migrator", database)}
    admin = postgres.url(SUPERUSER, database)
    for words in (["db", "init", "--admin-url", admin], ["db", "upgrade"]):
        done = subprocess.run(
            [VINC, *words], env={**environ, **more}, cwd=scratch, capture_output=True, text=True, check=False
        )
        if done.returncode != os.EX_OK:
            said = (done.stderr or done.stdout).strip().rpartition("\n")[2]
            raise BenchFailed(f"vinc {words[0]} {words[1]}: {said}")
