"""Make the virtual environment that `./dev` works in, and bring it up to date; needs nothing but Python itself.

A file inside it says for which requirements it is complete. It is empty while the work lasts, so that an environment
whose making was killed is made anew. One that `./dev` has not made is used as it is when VINC_VENV names it.
"""

import fcntl
import os
import pwd
import shutil
import subprocess
import sys
import venv
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ACCOUNTS = ("postgres", "nobody")
WITH_SERVERS = {"up": "VINC_STATE", "psql": "VINC_STATE", "test": "TMPDIR", "bench": "TMPDIR"}  # where they have data
REQUIREMENTS = "requirements-dev.txt"
STAMP = "vinc-stamp"
MADE_BY_VENV = frozenset({"bin", "lib", "lib64", "include", "share", "etc", "man", "pyvenv.cfg", ".gitignore", STAMP})


class EnvironmentRefused(Exception):
    """The virtual environment cannot be made."""


def main(place: Path, command: str) -> int:
    """Make it complete; 1 and one line on stderr if that fails, or if the command would fail then."""
    try:
        if command in WITH_SERVERS and os.geteuid() == 0:
            name = WITH_SERVERS[command]
            refuse_without_account(name, os.environ.get(name))
        is_somebodys = "VINC_VENV" in os.environ and (place / "pyvenv.cfg").is_file()
        if (place / STAMP).is_file() or not is_somebodys:
            complete(place)
    except EnvironmentRefused as refused:
        sys.stderr.write(f"dev: {refused}\n")
        return 1
    except OSError as error:
        cure = "name another place with VINC_VENV" if error.filename else "see above"
        sys.stderr.write(f"dev: {error.filename or place}: {(error.strerror or str(error)).lower()}; {cure}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def refuse_without_account(name: str, directory: str | None) -> None:
    """Raise EnvironmentRefused where root's servers could not run: they run as another account (embedded/home.py)."""
    account = next((one for name in ACCOUNTS for one in pwd.getpwall() if one.pw_name == name), None)
    if account is None:
        message = f"root must not run a server: add one of the accounts {', '.join(ACCOUNTS)}, or be an ordinary user"
        raise EnvironmentRefused(message)
    wanted = Path(directory or "/").resolve()
    existing = next(one for one in (wanted, *wanted.parents) if one.is_dir())
    done = subprocess.run(
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(existing)],
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        cwd="/",
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode != 0:
        message = f"{account.pw_name}, who runs the servers, cannot enter {existing}: name another one with {name}"
        raise EnvironmentRefused(message)


def complete(place: Path) -> None:
    """Make the environment, or install anew into it, unless it is complete for today's requirements."""
    stamp, wanted = place / STAMP, digest()
    if is_complete(place, wanted):
        return
    os.umask(0o022)  # an unprivileged account runs PostgreSQL from here when root made it
    place.mkdir(parents=True, exist_ok=True)
    with locked(place):
        if is_complete(place, wanted):
            return
        finished = stamp.read_text() != "" if stamp.exists() else runs(place)
        if not (finished and runs(place)):
            make(place)
        stamp.write_text("")
        install(place)
        stamp.write_text(wanted)


def is_complete(place: Path, wanted: str) -> bool:
    stamp = place / STAMP
    return stamp.is_file() and stamp.read_text() == wanted and (place / "bin" / "python").exists()


def digest() -> str:
    """What the environment depends on: the requirements, the distributions' metadata, and where they are."""
    files = [ROOT / name for name in (REQUIREMENTS, "requirements.txt", "constraints.txt", "pyproject.toml")]
    files += [ROOT / name / "pyproject.toml" for name in ("kernel", "migrations", "testing")]
    files += sorted(ROOT.glob("plugins/*/pyproject.toml"))
    total = sha256(os.fsencode(ROOT))
    for path in files:
        total.update(path.read_bytes())
    return total.hexdigest()


@contextmanager
def locked(place: Path) -> Generator[None]:
    """Hold the directory, so that two `./dev` at once do not both write into it."""
    handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def runs(place: Path) -> bool:
    """Whether there is a Python in it that can install something."""
    python = place / "bin" / "python"
    return python.exists() and ran([str(python), "-c", "import pip"], quiet=True)


def make(place: Path) -> None:
    """Make it from nothing; what stands there goes if it is an environment, and stays if it is anything else."""
    if strange := {entry.name for entry in place.iterdir()} - MADE_BY_VENV:
        message = f"{place} holds {min(strange)!r} and is not a virtual environment: move it, or set VINC_VENV"
        raise EnvironmentRefused(message)
    if find_spec("ensurepip") is None:
        message = f"{sys.executable} has no venv: install it (apt-get install python3-venv), or name another PYTHON"
        raise EnvironmentRefused(message)
    say(f"making {place} with Python {sys.version.partition(' ')[0]} (once; a minute or more)")
    (place / STAMP).write_text("")
    for entry in place.iterdir():
        if entry.name != STAMP:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    try:
        venv.EnvBuilder(with_pip=True, symlinks=True).create(place)
    except subprocess.CalledProcessError as error:
        said = (error.output or b"").decode(errors="replace").strip().splitlines()
        message = (
            f"{place}: pip cannot be installed: {said[-1] if said else error}; free some disk space, or set VINC_VENV"
        )
        raise EnvironmentRefused(message) from error


def install(place: Path) -> None:
    """Install the requirements, by uv where it is present, else by pip."""
    say(f"installing what {REQUIREMENTS} names")
    python = str(place / "bin" / "python")
    if uv := shutil.which("uv"):
        if ran([uv, "pip", "install", "--quiet", "--python", python, "-r", REQUIREMENTS]):
            return
        say("uv could not; trying pip")
    if not ran([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS]):
        message = f"pip could not install what {REQUIREMENTS} names: its reason stands above"
        raise EnvironmentRefused(message)


def ran(command: list[str], *, quiet: bool = False) -> bool:
    """Run a command to its end, and say whether it succeeded."""
    done = subprocess.run(command, cwd=ROOT, capture_output=quiet, check=False)
    return done.returncode == 0


def say(text: str) -> None:
    sys.stdout.write(f"dev: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
