"""A real Keycloak on a free loopback port, with its embedded database in one directory.

`python -m tests.keycloak.server DIRECTORY --until-end-of PID` starts it, prints where it is as one line of JSON, and
stays until the process PID is gone or somebody ends it. The server dies with this process, however that ends. A
directory that was used before still has its realms and its password.
"""

import argparse
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from vinc_testing.embedded.process import dying_with, is_there

from ..integration.serving import free_port
from .distribution import KeycloakAbsent, distribution, java, locked, run

ADMIN = "admin"
PASSWORD, LOG = "admin-password", "server.log"
CLASSES = "classes.jsa"  # the classes as the JVM has them in memory (class data sharing)
SECONDS_TO_START = 180  # a machine that does other things as well
SECONDS_TO_STOP = 20
SECONDS_BETWEEN_LOOKS = 0.2
# As bin/kc.sh has them, and a small heap; the shell would stand between us and the process that has to be ended.
JVM = """
-Xms64m -Xmx384m -XX:MaxMetaspaceSize=256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dfile.encoding=UTF-8
-Djava.security.egd=file:/dev/urandom --add-opens=java.base/java.util=ALL-UNNAMED
--add-opens=java.base/java.util.concurrent=ALL-UNNAMED --add-opens=java.base/java.security=ALL-UNNAMED
--add-opens=java.base/java.lang=ALL-UNNAMED --enable-native-access=ALL-UNNAMED -Duser.language=en -Duser.country=US
-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory
-Djava.util.logging.manager=org.jboss.logmanager.LogManager -Dpicocli.disable.closures=true
""".split()
OPTIONS = "start --optimized --http-enabled=true --hostname-strict=false --http-host=127.0.0.1".split()


class KeycloakNotStarted(Exception):
    """It is here, and does not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keycloak:
    """Where a Keycloak is, and who may do everything in it."""

    url: str
    password: str
    username: str = ADMIN

    def __repr__(self) -> str:
        return f"Keycloak(url={self.url!r})"


def start(directory: Path, port: int = 0) -> tuple[Keycloak, subprocess.Popen[bytes]]:
    """Start the server of this directory and wait until it answers; raises KeycloakAbsent and KeycloakNotStarted.

    The child is the JVM itself, and is sent SIGTERM when the thread that called this ends.
    """
    program = java()
    unpacked = distribution(program)
    warm = warmed(unpacked, program)
    return launch(directory, unpacked, [program, f"-XX:SharedArchiveFile={warm / CLASSES}"], port, warm=warm)


def launch(
    directory: Path, unpacked: Path, program: Sequence[str | Path], port: int = 0, *, warm: Path | None = None
) -> tuple[Keycloak, subprocess.Popen[bytes]]:
    """As `start`, with the JVM and its first options in `program`."""
    home = prepared(directory, unpacked, warm)
    lock = held(directory)
    keycloak = Keycloak(url=f"http://127.0.0.1:{port or free_port()}", password=password_of(directory))
    words = [*program, *JVM, f"-Dkc.home.dir={home}", f"-Djboss.server.config.dir={home / 'conf'}"]
    words += ["-cp", home / "lib" / "quarkus-run.jar", "io.quarkus.bootstrap.runner.QuarkusEntryPoint", *OPTIONS]
    words += [f"--http-port={keycloak.url.rpartition(':')[2]}"]
    with (directory / LOG).open("wb") as log:
        child = subprocess.Popen(
            words,
            cwd=home,
            env=environment(directory, keycloak),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[lock],
            preexec_fn=dying_with(os.getpid(), signal.SIGTERM),  # noqa: PLW1509 - prctl must be called by the child
        )
    os.close(lock)
    try:
        wait_until_it_answers(keycloak, child, directory / LOG)
    except BaseException:
        stop(child)
        raise
    return keycloak, child


def warmed(unpacked: Path, program: Path) -> Path:
    """What a start in a third of the time needs, made once by a start and a stop: see CLASSES, and an empty database.

    The JVM does without the classes where they are another version's; the database has the password beside it.
    """
    made = unpacked / "warm"
    with locked(unpacked.parent / "warm-lock"):
        if not made.is_dir():
            place = unpacked / "warming"
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            base = f"-XX:SharedArchiveFile={unpacked / 'base.jsa'}"
            run([str(program), "-Xshare:dump", base, *JVM], "Java cannot dump its classes", SECONDS_TO_START)
            _, child = launch(place, unpacked, [program, base, f"-XX:ArchiveClassesAtExit={place / CLASSES}"])
            stop(child, SECONDS_TO_START)
            shutil.move(place / "home" / "data", place / "data")
            shutil.rmtree(place / "home")
            place.rename(made)
    return made


def held(directory: Path) -> int:
    """Hold the directory, and return what the server inherits: it is free when the server has ended, however it did.

    One that still ends is waited for; raises KeycloakNotStarted when that takes too long.
    """
    handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + SECONDS_TO_STOP
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(handle)
                message = f"another Keycloak runs in {directory}: end that one first"
                raise KeycloakNotStarted(message) from None
            time.sleep(SECONDS_BETWEEN_LOOKS)
        else:
            return handle


def prepared(directory: Path, unpacked: Path, warm: Path | None) -> Path:
    """A home for this server alone: its own `data`, and links to what no server writes to."""
    home = directory / "home"
    home.mkdir(parents=True, exist_ok=True)
    if warm and not (home / "data").exists():
        shutil.copy(warm / PASSWORD, directory / PASSWORD)
        shutil.copytree(warm / "data", home / "data")
    for name in ("lib", "conf", "providers", "themes"):
        link = home / name
        link.unlink(missing_ok=True)
        link.symlink_to(unpacked / name)
    return home


def password_of(directory: Path) -> str:
    """The admin's password, made with the directory; nobody else may read it."""
    path = directory / PASSWORD
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123 - the mode
            file.write(secrets.token_urlsafe(24))
    return path.read_text()


def environment(directory: Path, keycloak: Keycloak) -> Mapping[str, str]:
    """What the server is told: passwords are no arguments, which every account can read."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KC_", "QUARKUS_", "JAVA_"))}
    return {
        **kept,
        "KC_BOOTSTRAP_ADMIN_USERNAME": keycloak.username,
        "KC_BOOTSTRAP_ADMIN_PASSWORD": keycloak.password,
        "KC_DB_URL": f"jdbc:h2:file:{directory}/home/data/keycloak;NON_KEYWORDS=VALUE;DB_CLOSE_ON_EXIT=FALSE",
    }


def wait_until_it_answers(keycloak: Keycloak, child: subprocess.Popen[bytes], log: Path) -> None:
    """Return when it answers; raises KeycloakNotStarted when it ends before, or takes too long."""
    deadline = time.monotonic() + SECONDS_TO_START
    while not answers(keycloak):
        if child.poll() is not None or time.monotonic() > deadline:
            said = [line for line in log.read_text(errors="replace").splitlines() if "ERROR" in line]
            message = f"Keycloak does not start: {said[0] if said else 'it says nothing'} ({log})"
            raise KeycloakNotStarted(message)
        time.sleep(SECONDS_BETWEEN_LOOKS)


def answers(keycloak: Keycloak) -> bool:
    """Whether it serves its first realm."""
    try:
        with urlopen(f"{keycloak.url}/realms/master", timeout=10) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def stop(child: subprocess.Popen[bytes], seconds: float = SECONDS_TO_STOP) -> None:
    """End it in order, or at once when that takes too long."""
    child.terminate()
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def tell(**what: str) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Ended(Exception):
    """Somebody wants this process to end."""


def end(_number: int, _frame: object) -> None:
    raise Ended


def keep(directory: Path, run: int, port: int) -> int:
    """Keep the server of this directory until the process `run` is gone."""
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    child = None
    try:
        directory.mkdir(parents=True, exist_ok=True)
        keycloak, child = start(directory, port)
        tell(url=keycloak.url, password=keycloak.password)
        while is_there(run) and child.poll() is None:
            time.sleep(SECONDS_BETWEEN_LOOKS)
    except KeycloakAbsent as absent:
        tell(absent=str(absent))
        return 1
    except KeycloakNotStarted as error:
        tell(failed=str(error))
        return 1
    except Ended:
        pass
    finally:
        if child is not None:
            stop(child)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.keycloak.server", description="Run a Keycloak.")
    parser.add_argument("directory", type=Path, help="where it keeps everything")
    parser.add_argument("--until-end-of", type=int, required=True, metavar="PID", help="whose end is its end")
    parser.add_argument("--port", type=int, default=0, help="0 is any free one")
    parser.add_argument("--throw-away", action="store_true", help="remove the directory at the end")
    options = parser.parse_args()
    directory = options.directory.resolve()
    try:
        return keep(directory, options.until_end_of, options.port)
    finally:
        if options.throw_away:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
