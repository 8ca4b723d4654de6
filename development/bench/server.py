"""Run one server as a child process, and ask the operating system what it costs."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil

from vinc_testing.embedded.process import dying_with

from ..service import free
from .failed import BenchFailed
from .sso import jwks

ROOT = Path(__file__).resolve().parents[2]
SECONDS_TO_START = 60
OK = 200
# The same server on both sides; what differs is said beside each use.
UVICORN = [
    *(sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--loop", "uvloop", "--http", "httptools"),
    *("--lifespan", "on", "--no-server-header"),
]


def uvicorn(factory: str) -> list[str]:
    """The command for an application of this package, without an access log."""
    return [*UVICORN, f"development.bench.{factory}", "--factory", "--no-access-log"]


@dataclass(frozen=True, slots=True)
class Server:
    """A server of one process."""

    name: str
    port: int
    child: subprocess.Popen[bytes]
    log: Path

    def cpu(self) -> float:
        """Seconds of CPU, user and system, since it was started."""
        return spent(psutil.Process(self.child.pid))

    def megabytes(self) -> float:
        return float(psutil.Process(self.child.pid).memory_info().rss) / 1e6

    def status(self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> int:
        """Ask once; 0 when nobody answers."""
        line = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            line.request(method, path, headers=dict(headers or {}))
            answer = line.getresponse()
            answer.read()
        except (OSError, HTTPException):
            return 0
        finally:
            line.close()
        return answer.status

    def listens(self) -> bool:
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", self.port)) == 0

    def refuse_if_ended(self) -> None:
        if self.child.poll() is not None:
            said = self.log.read_text(errors="replace").strip().splitlines() or ["(it said nothing)"]
            raise BenchFailed(f"{self.name} has ended with code {self.child.returncode}: {said[-1]}")


def spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def started(name: str, command: Sequence[str], environ: Mapping[str, str], scratch: Path) -> Generator[Server]:
    """Start it, wait until it accepts connections, and stop it at the end. What it prints is thrown away."""
    port = free("127.0.0.1", 0).port
    log = scratch / f"{name.replace(' ', '-')}.log"
    with log.open("wb") as errors:
        child = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=scratch,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            preexec_fn=dying_with(os.getpid(), signal.SIGTERM),  # noqa: PLW1509 - prctl must be called by the child
        )
    server = Server(name, port, child, log)
    try:
        wait_until(server.listens, server, "it does not listen")
        yield server
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def wait_until_ready(server: Server, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> None:
    wait_until(lambda: server.status(path, headers, method) == OK, server, f"{path} does not answer 200")


def wait_until(happened: Callable[[], bool], server: Server, otherwise: str) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not happened():
        server.refuse_if_ended()
        if time.monotonic() > deadline:
            raise BenchFailed(f"{server.name}: {otherwise} after {SECONDS_TO_START} s")
        time.sleep(0.005)


def environment(*directories: Path, **more: str) -> dict[str, str]:
    """Ours without Vinc's settings, so that nobody's own are measured; these directories are on sys.path, too."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VINC_")}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *directories))),
        "VINC_ENV": "test",
        "BENCH_JWKS": jwks(),
        **more,
    }
