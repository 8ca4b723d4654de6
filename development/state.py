"""The directory in which `./dev` keeps what it runs: `.vinc`, or what VINC_STATE names; one `./dev` at a time."""

import fcntl
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from stat import S_ISDIR
from tempfile import gettempdir

from vinc_kernel.errors import VincError
from vinc_testing.embedded.home import account_for, closed_to

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("/var/lib", gettempdir())


class Refused(VincError):
    """`./dev` cannot do this."""


class Stopped(Exception):
    """Somebody wants an end: Ctrl-C, SIGTERM, or a terminal that was closed."""


class Busy(Refused):
    """Another `./dev` works in this directory."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"{holder} runs already in this checkout: stop that one first")


class Wish:
    """Whether somebody has asked for the end. A flag, and looked at: an exception could come where a child is made."""

    def __init__(self) -> None:
        self.came = False
        signal.signal(signal.SIGINT, self.note)
        signal.signal(signal.SIGTERM, self.note)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
            signal.signal(signal.SIGHUP, self.note)

    def note(self, _number: int, _frame: object) -> None:
        self.came = True

    def check(self) -> None:
        """Raise Stopped if it has come."""
        if self.came:
            raise Stopped


def state_directory() -> Path:
    """Where it is, made when missing; the account of the servers may pass through it."""
    state = Path(os.environ.get("VINC_STATE") or default_state()).resolve()
    try:
        if not state.is_dir():
            state.mkdir()
            state.chmod(0o711)  # whatever the umask is
    except OSError as error:
        message = f"{state}: {(error.strerror or str(error)).lower()}; make it a directory that you may write to"
        raise Refused(message) from error
    return state


def default_state() -> Path:
    """In the checkout, or among the system's state or temporary files where the servers' account cannot enter that."""
    inside = ROOT / ".vinc"
    account = account_for(inside)
    if account is None or closed_to(account, [ROOT]) is None:
        return inside
    name = f"vinc-{sha256(os.fsencode(ROOT)).hexdigest()[:16]}"
    for folder in map(Path, FOLDERS):
        outside = folder / name
        is_open = os.access(folder, os.W_OK) and closed_to(account, [folder]) is None
        if is_open and (not os.path.lexists(outside) or is_only_ours(outside)):
            return outside
    message = f"{account.name}, who runs the servers, cannot enter {ROOT}: name a directory for it with VINC_STATE"
    raise Refused(message)


def is_only_ours(path: Path) -> bool:
    """Whether nobody else has put it there, or can put something into it."""
    found = path.lstat()
    return S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


@contextmanager
def held(state: Path, command: str) -> Generator[None]:
    """Keep every other `./dev` out of this directory; raises Busy. The lock ends with this process."""
    try:
        handle = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        message = f"{state / 'lock'}: {(error.strerror or str(error)).lower()}; {state} must be yours"
        raise Refused(message) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(os.pread(handle, 100, 0).decode() or "another ./dev") from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"./dev {command} (pid {os.getpid()})".encode(), 0)
        yield
    finally:
        os.close(handle)


def say(text: str) -> None:
    """One line of progress, at once, also into a pipe."""
    sys.stdout.write(f"dev: {text}\n")
    sys.stdout.flush()
