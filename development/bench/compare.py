"""Measure two servers in turns, so that whatever else this machine does meets both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from .load import Target, load
from .server import Server, wait_until_ready


@dataclass(frozen=True, slots=True)
class Side:
    """A server, and what it is asked."""

    server: Server
    target: Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """How long to measure."""

    count: int
    seconds: float
    scratch: Path


@dataclass(frozen=True, slots=True)
class Measured:
    """One server in one round: requests/s, seconds of its CPU a request, and milliseconds of waiting."""

    rate: float
    cpu: float
    p50: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Medians over the rounds: our requests/s to theirs, and their CPU a request to ours. 1 is as fast."""

    requests: float
    cpu: float
    ours: float  # requests/s
    theirs: float
    ours_us: float  # microseconds of CPU a request
    theirs_us: float
    p50: float  # milliseconds until half of ours, and 99 of 100, are answered
    p99: float


def compare(ours: Side, theirs: Side, rounds: Rounds) -> Outcome:
    for side in (ours, theirs):
        # FastAPI's own application of 5,000 routes needs seconds for its first request.
        wait_until_ready(side.server, side.target.paths[0], side.target.headers, side.target.method)
        measure(side, Rounds(count=1, seconds=1, scratch=rounds.scratch))
    return in_turns(lambda: measure(ours, rounds), lambda: measure(theirs, rounds), rounds.count)


def in_turns(ours: Callable[[], Measured], theirs: Callable[[], Measured], times: int) -> Outcome:
    """Measure both so many times, the first one changing."""
    mine, others = list[Measured](), list[Measured]()
    order = [(ours, mine), (theirs, others)]
    for _ in range(times):
        order.reverse()
        for measure_one, figures in order:
            figures.append(measure_one())
    return outcome(mine, others)


def measure(side: Side, rounds: Rounds) -> Measured:
    before = side.server.cpu()
    done = load(side.server.port, side.target, rounds.seconds, rounds.scratch)
    spent = side.server.cpu() - before
    return Measured(done.requests / done.seconds, spent / done.requests, done.p50, done.p99)


def outcome(ours: Sequence[Measured], theirs: Sequence[Measured]) -> Outcome:
    both = list(zip(ours, theirs, strict=True))
    return Outcome(
        requests=median(mine.rate / other.rate for mine, other in both),
        cpu=median(other.cpu / mine.cpu for mine, other in both),
        ours=median(one.rate for one in ours),
        theirs=median(one.rate for one in theirs),
        ours_us=median(one.cpu for one in ours) * 1e6,
        theirs_us=median(one.cpu for one in theirs) * 1e6,
        p50=median(one.p50 for one in ours),
        p99=median(one.p99 for one in ours),
    )
