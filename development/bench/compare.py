"""Measure two servers in turns, so that whatever else this machine does meets both."""

from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Medians over the rounds: our requests/s to theirs, and their CPU a request to ours. 1 is as fast."""

    requests: float
    cpu: float
    ours: float  # requests/s
    theirs: float
    ours_us: float  # microseconds of CPU a request
    theirs_us: float


def compare(ours: Side, theirs: Side, rounds: Rounds) -> Outcome:
    """Measure both in each round, one after the other, the first one changing."""
    for side in (ours, theirs):
        # FastAPI's own application of 5,000 routes needs seconds for its first request.
        wait_until_ready(side.server, side.target.paths[0], side.target.headers)
        measure(side, Rounds(count=1, seconds=1, scratch=rounds.scratch))
    figures: dict[str, list[tuple[float, float]]] = {"ours": [], "theirs": []}
    for number in range(rounds.count):
        order = [("ours", ours), ("theirs", theirs)]
        for name, side in order if number % 2 else reversed(order):
            figures[name].append(measure(side, rounds))
    return outcome(figures["ours"], figures["theirs"])


def measure(side: Side, rounds: Rounds) -> tuple[float, float]:
    """Requests/s, and seconds of the server's CPU a request."""
    before = side.server.cpu()
    requests, seconds = load(side.server.port, side.target, rounds.seconds, rounds.scratch)
    return requests / seconds, (side.server.cpu() - before) / requests


def outcome(ours: Sequence[tuple[float, float]], theirs: Sequence[tuple[float, float]]) -> Outcome:
    both = list(zip(ours, theirs, strict=True))
    return Outcome(
        requests=median(mine[0] / other[0] for mine, other in both),
        cpu=median(other[1] / mine[1] for mine, other in both),
        ours=median(one[0] for one in ours),
        theirs=median(one[0] for one in theirs),
        ours_us=median(one[1] for one in ours) * 1e6,
        theirs_us=median(one[1] for one in theirs) * 1e6,
    )
