"""`./dev`, run for real in a copy of the checkout whose path has spaces, with the packages of these tests."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen

import pytest

from vinc_testing.embedded.process import wait_until

ROOT = Path(__file__).parents[2]
SECONDS = 120  # a machine that does other things as well
URL = re.compile(r"URL +(http://\S+)")


@dataclass
class Checkout:
    """A copy of this checkout, and what was started in it."""

    path: Path
    environ: dict[str, str]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def dev(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run `./dev` to its end, from another directory."""
        command = [str(self.path / "dev"), *words]
        environ = {**self.environ, **environ}
        return subprocess.run(
            command, cwd="/", env=environ, capture_output=True, text=True, timeout=SECONDS, check=False
        )

    def up(self, *words: str, **environ: str) -> "Up":
        """Start `./dev up` on a free port and return when it has printed its table."""
        output = self.path / f"output-{len(self.started)}"
        with output.open("wb") as written:
            command = [str(self.path / "dev"), "up", "--port", "0", *words]
            child = subprocess.Popen(
                command, cwd="/", env={**self.environ, **environ}, stdout=written, stderr=subprocess.STDOUT
            )
        self.started.append(child)
        up = Up(child, output)
        assert wait_until(lambda: child.poll() is not None or "Stop " in up.said, SECONDS), up.said
        assert child.poll() is None, up.said
        return up

    def pid(self, name: str) -> int:
        return int((self.path / ".vinc" / name).read_text())

    @property
    def pids(self) -> list[int]:
        """PostgreSQL, Valkey and the service."""
        return [self.pid(name) for name in ("postgres/server.pid", "valkey/server.pid", "serve.pid")]


@dataclass
class Up:
    """A `./dev up` that runs."""

    child: subprocess.Popen[bytes]
    output: Path

    @property
    def said(self) -> str:
        return self.output.read_text()

    def get(self, path: str, headers: Mapping[str, str]) -> object:
        found = URL.search(self.said)
        assert found
        with urlopen(Request(found[1] + path, headers=dict(headers)), timeout=SECONDS) as answer:
            return json.load(answer)

    def end(self, number: signal.Signals) -> int:
        self.child.send_signal(number)
        return self.child.wait(SECONDS)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def packages(place: Path) -> Path:
    """A virtual environment that shares the packages of this one, and that `./dev` has not made."""
    place.mkdir()
    for name in ("bin", "lib"):
        (place / name).symlink_to(Path(sys.prefix) / name)
    told = Path(sys.prefix) / "pyvenv.cfg"
    (place / "pyvenv.cfg").write_text(told.read_text() if told.exists() else f"home = {Path(sys.executable).parent}\n")
    return place


@contextmanager
def copied() -> Iterator[Checkout]:
    """A copy in a directory that every account may enter, and nothing of it runs afterwards."""
    with TemporaryDirectory(prefix="vinc dev ", ignore_cleanup_errors=True) as made:
        path = Path(made) / "check out"
        path.mkdir()
        for each in (path, path.parent):
            each.chmod(0o711)
        for name in (
            "dev",
            "plugins.toml",
            "requirements-dev.txt",
            "requirements.txt",
            "constraints.txt",
            "pyproject.toml",
        ):
            shutil.copy(ROOT / name, path)
        shutil.copytree(ROOT / "development", path / "development")
        for name in ("kernel", "migrations", "testing"):
            (path / name).mkdir()
            shutil.copy(ROOT / name / "pyproject.toml", path / name)
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("VINC_", "PYTEST_", "PYTHON"))
        }
        environ["VINC_VENV"] = str(packages(path.parent / "v"))
        checkout = Checkout(path, environ)
        try:
            yield checkout
        finally:
            end_all(checkout)


def end_all(checkout: Checkout) -> None:
    for child in checkout.started:
        if child.poll() is None:
            child.terminate()
            child.wait(SECONDS)
    for name in ("postgres/server.pid", "valkey/server.pid", "serve.pid"):
        if (checkout.path / ".vinc" / name).exists() and not is_gone(pid := checkout.pid(name)):
            os.kill(pid, signal.SIGQUIT)


@pytest.fixture
def checkout() -> Iterator[Checkout]:
    with copied() as checkout:
        yield checkout


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Checkout, Up]]:
    """A checkout in which `./dev up` runs, for tests that only look; SIGTERM ends all of it."""
    with copied() as checkout:
        up = checkout.up("--host", "0.0.0.0")
        pids = checkout.pids
        yield checkout, up
        assert up.end(signal.SIGTERM) == 0
        assert all(map(is_gone, pids))


@pytest.mark.parametrize(("words", "code"), [([], 2), (["nonsense"], 2), (["--help"], 0)])
def test_dev_tells_how_it_is_used(checkout: Checkout, words: list[str], code: int) -> None:
    run = checkout.dev(*words)

    assert run.returncode == code
    assert "usage: ./dev COMMAND" in (run.stdout if code == 0 else run.stderr)


def test_dev_says_that_python_is_too_old(checkout: Checkout) -> None:
    old = checkout.path / "old"
    old.mkdir()
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        (old / name).write_text("#!/bin/sh\necho 3.9.2\nexit 1\n")
        (old / name).chmod(0o755)
    run = checkout.dev("up", PATH=f"{old}:/usr/bin:/bin", VINC_VENV=str(checkout.path / "new"))

    assert run.returncode == 1
    assert run.stderr.startswith("dev: Python 3.11 or newer is needed and not on PATH (python3 is 3.9.2)")
    assert run.stderr.count("\n") == 1


def test_dev_uses_no_other_python_than_the_one_that_is_named(checkout: Checkout) -> None:
    run = checkout.dev("up", PYTHON="/nowhere/python3", VINC_VENV=str(checkout.path / "new"))

    assert run.returncode == 1
    assert run.stderr.startswith("dev: PYTHON=/nowhere/python3 is not Python 3.11 or newer")
    assert run.stderr.count("\n") == 1


def test_dev_leaves_a_directory_alone_that_is_no_virtual_environment(checkout: Checkout) -> None:
    thesis = checkout.path / "documents" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("the only copy")
    run = checkout.dev("up", VINC_VENV=str(thesis.parent))

    assert run.returncode == 1
    assert "'thesis.txt' and is not a virtual environment" in run.stderr
    assert run.stderr.count("\n") == 1
    assert thesis.exists()


def test_up_serves_the_demo_tenants_and_says_where(served: tuple[Checkout, Up]) -> None:
    checkout, up = served
    printed = checkout.dev("vinc", "devissuer", "token", "--email", "admin@acme.example")
    assert printed.returncode == 0, printed.stderr
    headers = {"Authorization": f"Bearer {printed.stdout.strip()}", "X-Tenant-ID": "acme"}
    tenant, me = up.get("/tenants/me", headers), up.get("/identity/me", headers)

    assert isinstance(tenant, dict)
    assert tenant["slug"] == "acme"
    assert isinstance(me, dict)
    assert (me["email"], me["role"], me["tenants"]) == ("admin@acme.example", "wholesale_admin", ["acme"])
    for plugin in ("devissuer", "health", "identity", "tenants"):
        assert re.search(rf" {plugin} +\S+ +ready\n", up.said)
    for account in ("super@vinc.example", "reseller@globex.example", "admin2@acme.example", "/docs, Authorize"):
        assert account in up.said


def test_vinc_needs_what_up_runs(checkout: Checkout) -> None:
    run = checkout.dev("vinc", "plugins")

    assert (run.returncode, run.stderr) == (1, "dev: nothing runs in this checkout: ./dev up starts it\n")


def test_up_refuses_a_second_one_in_the_same_checkout(served: tuple[Checkout, Up]) -> None:
    checkout, up = served
    second = checkout.dev("up", "--port", "0")

    assert second.returncode == 1
    assert second.stderr == f"dev: ./dev up (pid {up.child.pid}) runs already in this checkout: stop that one first\n"


def test_up_listens_outside_with_nothing_but_the_service(served: tuple[Checkout, Up]) -> None:
    checkout, _ = served
    listed = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    tcp = {f"socket:[{line.split()[9]}]" for line in listed.splitlines()}
    links = [link for pid in checkout.pids[:2] for link in Path(f"/proc/{pid}/fd").iterdir()]

    assert links
    assert not {str(link.readlink()) for link in links if link.is_symlink()} & tcp


def test_psql_finds_the_data_while_up_runs_and_after_ctrl_c_has_ended_everything(checkout: Checkout) -> None:
    too_early = checkout.dev("psql", "-c", "select 1")
    up = checkout.up()
    made = checkout.dev("psql", "-c", "create table kept as select slug from tenants_tenant")
    pids = checkout.pids
    code = up.end(signal.SIGINT)
    all_gone = all(map(is_gone, pids))
    kept = checkout.dev("psql", "-At", "-c", "select slug from kept order by slug")

    assert too_early.returncode == 1
    assert too_early.stderr.count("\n") == 1
    assert made.returncode == 0, made.stderr
    assert code == 0, up.said
    assert all_gone
    assert kept.stdout == "acme\nglobex\n"
    assert not (checkout.path / ".vinc" / "postgres" / "server.pid").exists()


def test_up_after_kill_9_takes_over_the_servers_and_ends_the_old_service_and_says_when_the_new_one_has_ended(
    checkout: Checkout,
) -> None:
    first = checkout.up()
    postgres, valkey, service = checkout.pids
    first.end(signal.SIGKILL)
    second = checkout.up()
    now = checkout.pids

    assert now[:2] == [postgres, valkey]
    assert now[2] != service
    assert is_gone(service)

    os.kill(now[2], signal.SIGKILL)

    assert second.child.wait(SECONDS) == 1
    assert "the service has ended by itself" in second.said
    assert all(map(is_gone, now))


@pytest.mark.parametrize(("number", "name", "log"), [(0, "PostgreSQL", "postgres"), (1, "Valkey", "valkey")])
def test_up_says_which_server_has_ended_and_where_its_log_is(
    checkout: Checkout, number: int, name: str, log: str
) -> None:
    up = checkout.up()
    os.kill(checkout.pids[number], signal.SIGKILL)
    path = checkout.path / ".vinc" / log / "server.log"

    assert up.child.wait(SECONDS) == 1
    assert f"dev: {name} has ended by itself: its log is {path}\n" in up.said
    assert path.is_file()


@pytest.mark.parametrize("words", [("--port", "65536"), ("--workers", "0"), ("--workers", "-3")])
def test_up_refuses_an_argument_out_of_range_before_it_makes_anything(
    checkout: Checkout, words: tuple[str, str]
) -> None:
    run = checkout.dev("up", *words)

    assert run.returncode == 2
    assert f"argument {words[0]}: " in run.stderr
    assert not (checkout.path / ".vinc").exists()


def test_up_refuses_a_port_that_is_taken_before_it_makes_anything(checkout: Checkout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = checkout.dev("up", "--port", str(port))

    assert run.returncode == 1
    assert run.stderr.startswith(f"dev: cannot listen on 127.0.0.1 port {port}: address already in use")
    assert run.stderr.count("\n") == 1
    assert not (checkout.path / ".vinc" / "postgres").exists()


def test_up_refuses_production(checkout: Checkout) -> None:
    (checkout.path / ".env").write_text("VINC_ENV=prod\n")
    run = checkout.dev("up", "--port", "0")

    assert run.returncode == 1
    assert run.stderr.startswith("dev: VINC_ENV is prod")
    assert run.stderr.count("\n") == 1


def test_a_state_directory_that_cannot_be_made_is_one_line(checkout: Checkout) -> None:
    file = checkout.path / "file"
    file.write_text("")
    run = checkout.dev("up", VINC_STATE=str(file))

    assert run.returncode == 1
    assert run.stderr.startswith(f"dev: {file}: ")
    assert run.stderr.count("\n") == 1
