"""Run a server as a child process: as which account, whether it still lives, how it stops."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vinc_kernel.errors import VincError

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
# What the system says of a full disk, and PostgreSQL where it does not repeat that (src/backend/storage/smgr/md.c).
FULL = ("No space left", "Disk quota exceeded", "could not extend file", "wrote only")


class ServerNotStarted(VincError):
    """An embedded server does not start."""

    def __init__(self, what: str, *, where: Path | str, cure: str) -> None:
        super().__init__(f"{where}: {what}; {cure}")
        self.what, self.where, self.cure = what, str(where), cure


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a server runs as, instead of root."""

    uid: int
    gid: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A server that runs: started here (`child`), or adopted from a starter that is gone."""

    pid: int
    is_ours: Callable[[int], bool]
    child: subprocess.Popen[bytes] | None = None

    def is_alive(self) -> bool:
        return self.child.poll() is None if self.child else self.is_ours(self.pid)

    def stop(self, *steps: tuple[signal.Signals, float]) -> None:
        """Send each signal and wait so many seconds for the end; returns as soon as it has come."""
        for number, seconds in (*steps, (signal.SIGKILL, 5.0)):
            if not self.is_alive():
                return
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
            wait_until(lambda: not self.is_alive(), seconds)


def run_as(
    account: Account | None, command: Sequence[str | Path], *, cwd: Path, dies: signal.Signals | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a short command to its end as this account."""
    process = spawn(account, command, cwd=cwd, dies=dies)
    output, _ = process.communicate(timeout=120)
    return subprocess.CompletedProcess(command, process.returncode, output.decode(errors="replace"))


def spawn(
    account: Account | None, command: Sequence[str | Path], *, cwd: Path, dies: signal.Signals | None
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own: a terminal's Ctrl-C is for us, who stop things in order."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}
    return subprocess.Popen(  # noqa: S603 - our own programs, and no shell reads a path
        list(map(str, command)),
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", **kept},  # PGPORT and its like would change the server
        start_new_session=True,
        umask=0o077,
        preexec_fn=dying_with(os.getpid(), dies) if dies else None,  # noqa: PLW1509 - prctl must be called by the child
    )


def dying_with(parent: int, number: signal.Signals) -> Callable[[], None] | None:
    """What a child calls to be sent this signal when the thread that started it ends; Linux only."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # found before the fork, where nothing may be loaded

    def call() -> None:
        prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return call


def runs(pid: int, program: str, argument: str) -> bool:
    """Whether this process is that program with that argument, and not a stranger's with a pid used again."""
    words = command_line(pid)
    return bool(words) and Path(words[0]).name == program and argument in words


def command_line(pid: int) -> list[str]:
    """The words of a running process's command; none if it has ended."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="surrogateescape").split("\0")
        except OSError:
            return []
    ps = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
    words = subprocess.run(ps, capture_output=True, text=True, check=False).stdout  # noqa: S603 - a number, no shell
    return [*words.split(" "), words.strip()]


def wait_until(happened: Callable[[], bool], seconds: float) -> bool:
    """Look every few milliseconds; False when the time is up."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def last_line(text: str) -> str:
    """The line of a server's output that says why it gave up."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if is_full(line)] or [
        line for line in lines if "FATAL" in line or "rror:" in line
    ]
    line = (telling or lines or ["it said nothing"])[-1]
    return line.rpartition("FATAL:")[2].strip()


def is_full(text: str) -> bool:
    return any(words in text for words in FULL)


def cure_of(text: str, *, otherwise: str = "the log says more") -> str:
    """What to do about what a server said."""
    if is_full(text) or "I/O error" in text:  # the latter is what a shell makes of it
        return "free some disk space"
    if "incompatible" in text:
        return "it is another version's: delete that directory to begin with an empty one"
    return otherwise


def name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def is_there(pid: int) -> bool:
    """Whether there is a process of this number, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
