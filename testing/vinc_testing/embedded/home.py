"""The one directory that each server has: its data, its log, its pid and its socket.

It belongs to the account that the server runs as. That account writes all of it, the log and the pid included, so
that root never follows a link that somebody else has put there.
"""

import errno
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from tempfile import gettempdir

from .process import Account, Process, ServerNotStarted, cure_of, last_line, name_of, run_as, spawn, wait_until

LOG, PID, RUN = "server.log", "server.pid", "run"
NO_LOG = "look at that directory, its owner and its disk"  # what fails before there is a log
KNOWN = frozenset({LOG, PID, RUN, "data", "data.new"})
ACCOUNTS = ("postgres", "nobody")
LONGEST_SOCKET = 100  # sun_path takes 104 bytes on macOS and 108 on Linux, the last one is a NUL
# The pid stands in its file before the server runs: a starter that is killed here leaves nothing unknown behind.
LAUNCH = 'echo $$ >"$1" && log=$2 && shift 2 && exec "$@" >"$log" 2>&1'
FIND_CLOSED = 'for path do [ -x "$path" ] || { printf %s "$path"; exit; }; done'


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The one directory of a server, ready for it; `account` None: it runs as whoever starts it."""

    path: Path
    run: Path
    account: Account | None

    @property
    def log(self) -> Path:
        return self.path / LOG

    @property
    def pid(self) -> Path:
        return self.path / PID


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedServer:
    """A server that answers on its socket, which is in `run`; `adopted` if an earlier run has left it."""

    directory: Path
    run: Path
    process: Process
    adopted: bool

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> Path:
        return self.directory / LOG

    def is_alive(self) -> bool:
        return self.process.is_alive()

    def end(self, *steps: tuple[signal.Signals, float]) -> None:
        """Send each signal in turn until it has ended. Calling it again does nothing."""
        self.process.stop(*steps)
        (self.directory / PID).unlink(missing_ok=True)
        shutil.rmtree(self.run, ignore_errors=True)


@contextmanager
def home(directory: Path, *, socket: str, binaries: Sequence[Path]) -> Generator[Home]:
    """Yield the directory, made and checked, while nobody else can start a server in it.

    `socket` is the name that the server gives its socket. Raises ServerNotStarted with the directory and the cure.
    """
    path = directory.resolve()
    with told(path):
        account = account_for(path)
        check_entry(account, path.parent, binaries)  # before anything is made
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if strange := {entry.name for entry in path.iterdir()} - KNOWN:
            what = f"holds {min(strange)!r}, which is not a server's"
            raise ServerNotStarted(what, where=path, cure="name a directory that holds nothing else")
        with locked(path):
            if account:
                os.chown(path, account.uid, account.gid)
            path.chmod(0o700)
            check_entry(account, path, binaries)
            yield Home(path=path, run=private(run_directory(path, socket), account), account=account)


@contextmanager
def told(path: Path) -> Generator[None]:
    """Turn what the operating system refuses into one line about this path."""
    try:
        yield
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else path
        what = (error.strerror or type(error).__name__).lower()
        raise ServerNotStarted(what, where=where, cure=cure_of_refusal(error.errno)) from error


def cure_of_refusal(number: int | None) -> str:
    match number:
        case errno.ENOSPC | errno.EDQUOT:
            return "free some disk space"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"let {name_of(os.geteuid())} write there, or name another directory"
        case errno.ENOTDIR | errno.EEXIST:
            return "name a directory"
        case _:
            return "the system refused it, not PostgreSQL or Valkey"


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold the directory itself; the lock ends with this process, however that ends."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def account_for(path: Path) -> Account | None:
    """Whom the server in this directory runs as: PostgreSQL refuses root, and its data belong to who made them."""
    if os.geteuid() != 0:
        return None
    owner = path.stat() if path.exists() else None
    if owner and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid, name_of(owner.st_uid))
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name)
    raise ServerNotStarted(
        "root must not run a server, and there is no other account for it",
        where=path,
        cure=f"add one of the accounts {', '.join(ACCOUNTS)}, or run this as an ordinary user",
    )


def check_entry(account: Account | None, path: Path, binaries: Sequence[Path]) -> None:
    """Raise ServerNotStarted unless the account can get to the directory, as far as it exists, and to the programs."""
    closed = closed_to(account, [path, *binaries], binaries)
    if closed is None:
        return
    who = account.name if account else name_of(os.geteuid())
    means = "run" if Path(closed) in binaries else "enter"
    raise ServerNotStarted(
        f"{who}, who runs the server, cannot {means} it",
        where=closed,
        cure="move the checkout or the directory for data to a place that every account can enter"
        if account
        else "make it executable",
    )


def closed_to(account: Account | None, paths: Sequence[Path], binaries: Sequence[Path] = ()) -> str | None:
    """Ask as the account what keeps it from these paths, as far as they exist; None where nothing does."""
    wanted = [each for path in paths for each in (*reversed(path.parents), path)]
    existing = [str(each) for each in wanted if each.is_dir() or each in binaries]
    asked = run_as(account, ["/bin/sh", "-c", FIND_CLOSED, "sh", *existing], cwd=Path("/"))
    return asked.stdout.strip() or None


def run_directory(path: Path, socket: str) -> Path:
    """Where the socket goes: inside the server's directory, or where its path is short enough."""
    inside = path / RUN
    # In a client's list of hosts a comma divides, and nothing escapes it.
    if len(os.fsencode(inside / socket)) <= LONGEST_SOCKET and "," not in str(inside):
        return inside
    name = "vinc-" + sha256(os.fsencode(path)).hexdigest()[:16]
    outside = Path(gettempdir()) / name
    if len(os.fsencode(outside / socket)) <= LONGEST_SOCKET:
        return outside
    return Path("/tmp") / name  # noqa: S108 - private() checks whose it is


def private(path: Path, account: Account | None) -> Path:
    """A directory that only the server's account enters (and root); refused when somebody else has made it."""
    uid, gid = (account.uid, account.gid) if account else (os.geteuid(), os.getegid())
    try:
        path.mkdir(mode=0o700)
        os.chown(path, uid, gid)
    except FileExistsError:
        found = path.lstat()
        if path.is_symlink() or not path.is_dir() or found.st_uid != uid or found.st_mode & 0o077:
            what = "is not a private directory of the server's account"
            raise ServerNotStarted(what, where=path, cure="delete it, or set TMPDIR to a directory of yours") from None
    return path


def launch(place: Home, command: Sequence[str | Path], *, dies: signal.Signals | None) -> subprocess.Popen[bytes]:
    """Start a server; it writes its pid and its log into its directory. `dies`: the signal it gets when we die."""
    words = ["/bin/sh", "-c", LAUNCH, "sh", place.pid, place.log, *command]
    process = spawn(place.account, words, cwd=place.path, dies=dies)
    with process.stdout or nullcontext(BytesIO()) as output:
        complaint = output.read().decode(errors="replace")  # until the server takes the shell's place
    if complaint:
        process.wait()
        raise ServerNotStarted(last_line(complaint), where=place.path, cure=cure_of(complaint, otherwise=NO_LOG))
    return process


def wait_until_ready(place: Home, process: Process, is_ready: Callable[[], bool], *, name: str, seconds: float) -> None:
    """Return when it is ready; raises ServerNotStarted with the reason from the server's log."""
    wait_until(lambda: is_ready() or not process.is_alive(), seconds)
    if process.is_alive() and is_ready():
        return
    process.stop((signal.SIGTERM, 2.0), (signal.SIGQUIT, 5.0))
    place.pid.unlink(missing_ok=True)
    said = place.log.read_text(errors="replace") if os.access(place.log, os.R_OK) else ""
    raise ServerNotStarted(f"{name}: {last_line(said)}", where=place.log, cure=cure_of(said))


def recorded(place: Home, is_ours: Callable[[int], bool]) -> int | None:
    """The pid of the server that still runs here; a pid that is gone, or a stranger's by now, is forgotten."""
    try:
        pid = int(place.pid.read_text())
    except (FileNotFoundError, ValueError):
        return None
    if is_ours(pid):
        return pid
    place.pid.unlink(missing_ok=True)
    return None
