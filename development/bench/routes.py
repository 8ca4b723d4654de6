"""Many routes: 250 plugins of 20, to one plugin of 20; and FastAPI's own `include_router` with the same."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter

from vinc_testing.embedded.postgres import SUPERUSER, PostgresServer

from .compare import Rounds, Side, compare
from .failed import BenchFailed
from .generate import paths, write_plugins, write_stock
from .load import Target
from .report import Line, at_most, ratio
from .server import OK, Server, environment, started, uvicorn
from .sso import signed_in

PLUGINS = 250
STOCK_ROUNDS = 3  # there is no target for it, and it is slow
LAST_OF_ONE = f"/api/v1{paths(1)[-1]}"
ALL = [f"/api/v1{path}" for path in paths(PLUGINS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application of generated routers, started as often as needed."""

    factory: str
    directory: Path
    plugins: int
    database: str
    scratch: Path

    @contextmanager
    def serving(self) -> Generator[Server]:
        environ = environment(
            self.directory,
            VINC_PLUGINS_FILE=str(self.directory / "plugins.toml"),
            VINC_DATABASE_URL=self.database,
            BENCH_PLUGINS=str(self.plugins),
        )
        command = uvicorn(f"apps:{self.factory}")
        with started(f"{self.factory}-{self.plugins}", command, environ, self.scratch) as server:
            yield server


def many(rounds: Rounds, postgres: PostgresServer) -> Iterator[Line]:
    """The figures of our index, then those of the stock application."""
    for count in (1, PLUGINS):
        directory = rounds.scratch / f"plugins-{count}"
        directory.mkdir()
        write_plugins(directory, count)
        write_stock(directory, count)
    big = Application(
        factory="generated",
        directory=rounds.scratch / f"plugins-{PLUGINS}",
        plugins=PLUGINS,
        database=postgres.url(SUPERUSER, SUPERUSER),
        scratch=rounds.scratch,
    )
    small = replace(big, directory=rounds.scratch / "plugins-1", plugins=1)
    yield from starts(big, rounds.count, first=10, start=4)
    yield from last_route(big, small, rounds, 0.95)
    with big.serving() as lots:
        # The path is given twice, so that the load tool works as hard for one route as for all.
        hot, every = Target(ALL[-1:] * 2, signed_in()), Target(ALL, signed_in())
        found = compare(Side(lots, every), Side(lots, hot), rounds)
        yield ratio(f"all 5,000 in turn to one hot route ({big.factory})", found, 0.75)
    big, small = replace(big, factory="stock"), replace(small, factory="stock")
    yield from starts(big, 1)
    yield from last_route(big, small, replace(rounds, count=STOCK_ROUNDS))


def last_route(big: Application, small: Application, rounds: Rounds, target: float | None = None) -> Iterator[Line]:
    with small.serving() as few, big.serving() as lots:
        ours, theirs = Target(ALL[-1:], signed_in()), Target([LAST_OF_ONE], signed_in())
        found = compare(Side(lots, ours), Side(few, theirs), rounds)
        yield ratio(f"last of 250 x 20 routes to last of 1 x 20 ({big.factory})", found, target)


def starts(
    application: Application, times: int, *, first: float | None = None, start: float | None = None
) -> Iterator[Line]:
    """CPU until it accepts connections, interpreter and imports included; and how long the first request takes."""
    seconds, waits, memory = [], [], []
    for _ in range(times):
        with application.serving() as server:
            seconds.append(server.cpu())
            waits.append(first_request(server))
            memory.append(server.megabytes())
    said = f"5,000 routes ({application.factory})"
    yield at_most(f"{said}: first request", median(waits), first, "ms")
    yield at_most(f"{said}: start", median(seconds), start, "s CPU", f"{median(memory):.0f} MB")


def first_request(server: Server) -> float:
    """Milliseconds of the first request, to the last route, with its connection."""
    begun = perf_counter()
    status = server.status(ALL[-1], signed_in())
    took = (perf_counter() - begun) * 1000
    if status != OK:
        raise BenchFailed(f"{server.name}: {ALL[-1]} answers {status}")
    return took
