"""Put a server under load for a while, by the client beside this file in a process of its own."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .failed import BenchFailed

CONNECTIONS = 32
SECONDS_TO_END = 300


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked: these paths in turn, with these headers."""

    paths: Sequence[str]
    headers: Mapping[str, str]
    method: str = "GET"


@dataclass(frozen=True, slots=True)
class Load:
    """What was answered, in how many seconds, and how long a half and 99 of 100 waited at most, in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float


def load(port: int, target: Target, seconds: float, scratch: Path) -> Load:
    """Ask for a while; raises BenchFailed for any answer but 2xx."""
    listed = scratch / "paths.txt"
    listed.write_text("".join(f"{path}\n" for path in target.paths))
    headers = [f"{name}: {value}" for name, value in target.headers.items()]
    words = [sys.executable, "-m", "development.bench.client", str(port), str(seconds), str(CONNECTIONS), str(listed)]
    try:
        done = subprocess.run(
            [*words, target.method, *headers], capture_output=True, text=True, check=False, timeout=SECONDS_TO_END
        )
    except subprocess.TimeoutExpired as error:
        raise BenchFailed("the client does not end") from error
    if done.returncode != 0:
        raise BenchFailed(f"{target.paths[0]}: {(done.stderr or done.stdout).strip()}")
    requests, took, p50, p99 = done.stdout.split()
    return Load(int(requests), float(took), float(p50), float(p99))
