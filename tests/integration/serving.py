"""A server in a process of its own, until the block ends."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from vinc_testing.embedded.process import wait_until

SECONDS = 60


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


@contextmanager
def serving(words: Sequence[str | Path], port: int, *, cwd: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """Run it until it answers on this port, give the file it writes to, and end it at the end of the block."""
    output = cwd / f"output-{port}.log"
    with output.open("wb") as written:
        child = subprocess.Popen(
            list(map(str, words)), cwd=cwd, env=dict(environ), stdout=written, stderr=subprocess.STDOUT
        )
    try:
        wait_until(lambda: child.poll() is not None or answers(port), SECONDS)
        assert answers(port), output.read_text()
        yield output
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(SECONDS)


def answers(port: int) -> bool:
    """Whether it can answer requests; without the plugin `health` any answer will do."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
            return True
    except HTTPError as error:
        with error:
            return error.code == HTTPStatus.NOT_FOUND
    except OSError:
        return False
