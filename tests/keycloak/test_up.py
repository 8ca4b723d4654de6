"""`./dev up --keycloak`: the whole application with a Keycloak of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil
import pytest

from .distribution import KeycloakAbsent, distribution, java
from .realm import bearer
from .running import ROOT

SECONDS = 180  # a machine that does other things as well


@dataclass
class Up:
    """A `./dev up --keycloak` that runs, or has."""

    child: subprocess.Popen[bytes]
    output: Path

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def find(self, pattern: str) -> str:
        found = re.search(pattern, self.said)
        assert found, self.said
        return found[1]

    def token(self, http: httpx.Client) -> str:
        """What the command in the table gets."""
        words = self.find(r"token=\$\(curl -s (.*?) \|").split(" -d ")
        answer = http.post(words[0], data=dict(word.split("=", 1) for word in words[1:]))
        assert answer.is_success, answer.text
        return str(answer.json()["access_token"])

    def me(self, http: httpx.Client) -> httpx.Response:
        return http.get(self.find(r'curl -H "[^"]*" (\S+)'), headers=bearer(self.token(http)))


@pytest.fixture
def state() -> Generator[Path]:
    """Where it keeps everything; the account that PostgreSQL runs as may enter it."""
    with TemporaryDirectory(prefix="vinc-up-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@contextmanager
def up(state: Path) -> Generator[Up]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VINC_")}
    output = state / f"output-{time.monotonic_ns()}"
    with output.open("wb") as written:
        child = subprocess.Popen(
            [sys.executable, "-m", "development.up", "--keycloak", "--port", "0"],
            cwd=ROOT,
            env={**environ, "VINC_STATE": str(state)},
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    made = Up(child, output)
    try:
        deadline = time.monotonic() + SECONDS
        while "Stop " not in made.said and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert "Stop " in made.said, made.said
        yield made
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(60)


def javas(state: Path) -> list[int]:
    """The processes of a Keycloak in this directory."""
    found = psutil.process_iter(["cmdline"])
    return [one.pid for one in found if any(str(state / "keycloak") in word for word in one.info["cmdline"] or ())]


@pytest.fixture
def fetched() -> Path:
    """Keycloak's distribution; without one the test is not run, and says why."""
    try:
        return distribution(java())
    except KeycloakAbsent as absent:
        pytest.skip(f"no Keycloak: {absent}")


def test_it_runs_and_leaves_nothing(state: Path, http: httpx.Client, fetched: Path) -> None:
    with up(state) as first:
        me = first.me(http)
        mails = list((state / "mail").glob("*.eml"))
        os.kill(first.child.pid, signal.SIGKILL)
    with up(state) as second:
        again = second.me(http)

    assert (me.status_code, me.json()["role"]) == (200, "super_admin"), me.text
    assert "super@vinc.example" in mails[0].read_text()
    assert (again.json()["id"], again.json()["subject"]) == (me.json()["id"], me.json()["subject"])
    assert "there is already the super admin" in second.said
    assert second.child.returncode == 0
    assert javas(state) == []
