"""`vinc serve` as a child of `./dev up`: its port, its start, its end, and what a killed run has left of it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from vinc_testing.embedded.process import command_line, dying_with, wait_until

from .state import ROOT, Refused, say

PID = "serve.pid"
SECONDS_TO_FINISH = 10.0
OK = 200
VINC = Path(sys.executable).with_name("vinc")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the service listens, and where this machine reaches it."""

    host: str
    port: int

    @property
    def local(self) -> str:
        return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - read, not bound

    @property
    def url(self) -> str:
        host = f"[{self.local}]" if ":" in self.local else self.local
        return f"http://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Service:
    """`vinc serve` and its workers, in a process group of their own."""

    state: Path
    child: subprocess.Popen[bytes]

    def is_alive(self) -> bool:
        return self.child.poll() is None

    def stop(self) -> None:
        """Let the running requests finish, for a while."""
        if self.is_alive():
            say("stopping the service")
            self.child.terminate()
            wait_until(lambda: not self.is_alive(), SECONDS_TO_FINISH)
        end_group(self.child.pid)
        self.child.wait()
        (self.state / PID).unlink(missing_ok=True)


def free(host: str, port: int) -> Address:
    """Return this address, if nobody else has it; port 0 is any free one. Raises Refused."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(where)
            tried.listen()
            return Address(host, tried.getsockname()[1])
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"cannot listen on {host} port {port}: {reason}; name another with --host or --port"
        raise Refused(message) from error


def start(state: Path, options: Sequence[str], environ: Mapping[str, str]) -> Service:
    """Start it. On Linux the end of this process, however it comes, ends it too."""
    child = subprocess.Popen(
        [VINC, "serve", *options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        env=environ,
        start_new_session=True,
        preexec_fn=dying_with(os.getpid(), signal.SIGTERM),  # noqa: PLW1509 - prctl must be called by the child
    )
    (state / PID).write_text(f"{child.pid}\n")
    return Service(state, child)


def readiness(address: Address) -> dict[str, str] | None:
    """Each plugin's state, once the service can answer requests; None until then."""
    line = HTTPConnection(address.local, address.port, timeout=5)
    try:
        line.request("GET", "/health/ready")
        answer = line.getresponse()
        if answer.status != OK:
            return None
        return {plugin["name"]: plugin["state"] for plugin in json.load(answer)["plugins"]}
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        line.close()


def end_left(state: Path) -> None:
    """End what a killed `./dev up` has left of its service."""
    try:
        group = int((state / PID).read_text())
    except (FileNotFoundError, ValueError):
        return
    if members(group):
        say("ending the service that a killed run has left")
        signal_all(group, signal.SIGTERM)
        wait_until(lambda: not members(group), SECONDS_TO_FINISH)
        end_group(group)
    (state / PID).unlink(missing_ok=True)


def end_group(group: int) -> None:
    """Kill what is still there of it: workers whose supervisor was killed."""
    signal_all(group, signal.SIGKILL)
    wait_until(lambda: not members(group), SECONDS_TO_FINISH)


def signal_all(group: int, number: signal.Signals) -> None:
    for pid in members(group):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def members(group: int) -> list[int]:
    """The processes of this group that run our Python; a stranger's, whose number was used again, are none of them."""
    if sys.platform == "linux":
        pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    else:
        pids = [group]
    return [pid for pid in pids if group_of(pid) == group and is_our_python(pid)]


def group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def is_our_python(pid: int) -> bool:
    words = command_line(pid)
    return bool(words) and Path(words[0]).parent.resolve() == VINC.parent.resolve()
