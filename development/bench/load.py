"""Put a server under load for a while: by wrk where it is installed, else by a load tool of our own."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .failed import BenchFailed

CONNECTIONS = 32
SECONDS_TO_END = 300
# One request for each path of the file, in turn; made before the load begins.
SCRIPT = """
local requests, turn = {}, 0
function init(arguments)
    for path in io.lines(arguments[1]) do requests[#requests + 1] = wrk.format(arguments[2], path) end
end
function request()
    turn = turn % #requests + 1
    return requests[turn]
end
"""


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked: these paths in turn, with these headers. One path alone needs no script."""

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


def tool() -> str:
    """What will be used, for the report."""
    return f"wrk -t1 -c{CONNECTIONS}" if shutil.which("wrk") else f"a Python client with {CONNECTIONS} connections"


def load(port: int, target: Target, seconds: float, scratch: Path) -> Load:
    """Ask for a while; raises BenchFailed for any answer but 2xx."""
    listed = scratch / "paths.txt"
    listed.write_text("".join(f"{path}\n" for path in target.paths))
    return (by_wrk if shutil.which("wrk") else by_client)(port, target, seconds, listed)


def by_wrk(port: int, target: Target, seconds: float, listed: Path) -> Load:
    headers = [word for name, value in target.headers.items() for word in ("-H", f"{name}: {value}")]
    duration = f"-d{max(1, round(seconds))}s"  # wrk takes whole seconds only
    command = [
        "wrk",
        "-t1",
        "--latency",
        f"-c{CONNECTIONS}",
        duration,
        *headers,
        f"http://127.0.0.1:{port}{target.paths[0]}",
    ]
    if len(target.paths) > 1 or target.method != "GET":
        script = listed.with_name("in-turn.lua")
        script.write_text(SCRIPT)
        command += ["-s", str(script), "--", str(listed), target.method]
    said = run(command)
    done = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", said)
    if done is None or "Non-2xx" in said or "Socket errors" in said:
        raise BenchFailed(f"wrk on {target.paths[0]}: {said.strip()}")
    waited = {share: milliseconds(*found) for share, *found in re.findall(r"(50|99)% +([\d.]+)(us|ms|s|m)", said)}
    return Load(int(done[1]), milliseconds(done[2], done[3]) / 1000, waited["50"], waited["99"])


def milliseconds(number: str, unit: str) -> float:
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[unit]


def by_client(port: int, target: Target, seconds: float, listed: Path) -> Load:
    headers = [f"{name}: {value}" for name, value in target.headers.items()]
    words = [sys.executable, "-m", "development.bench.client", str(port), str(seconds), str(CONNECTIONS), str(listed)]
    requests, took, p50, p99 = run([*words, target.method, *headers]).split()
    return Load(int(requests), float(took), float(p50), float(p99))


def run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS_TO_END)
    except subprocess.TimeoutExpired as error:
        raise BenchFailed(f"{command[0]} does not end") from error
    if done.returncode != 0:
        raise BenchFailed(f"{command[0]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout
