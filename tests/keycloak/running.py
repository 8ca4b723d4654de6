"""The Keycloak of a test run: the first worker that needs it has it started, and it ends with the run."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from vinc_testing.servers import once

from .distribution import KeycloakAbsent
from .server import Keycloak, KeycloakNotStarted

ROOT = Path(__file__).parents[2]
URL_SETTING, PASSWORD_SETTING = "VINC_TEST_KEYCLOAK_URL", "VINC_TEST_KEYCLOAK_PASSWORD"
NOTE = "vinc-keycloak.json"


def keycloak(shared: Path, run: int) -> Keycloak:
    """The Keycloak of this run, whose main process is `run`; raises KeycloakAbsent and KeycloakNotStarted.

    `shared` is a directory that all workers of this run see.
    """
    if given := os.environ.get(URL_SETTING):
        return Keycloak(url=given.rstrip("/"), password=os.environ.get(PASSWORD_SETTING, ""))
    note = shared / NOTE
    once(shared, NOTE, lambda: note.write_text(started(run)))
    told = json.loads(note.read_text())
    if "absent" in told:
        raise KeycloakAbsent(told["absent"])
    if "failed" in told:
        raise KeycloakNotStarted(told["failed"])
    return Keycloak(**told)


def started(run: int) -> str:
    """Start its keeper, and return the line in which that says where it is, or why there is none."""
    directory = tempfile.mkdtemp(prefix="vinc-keycloak-")
    words = ["-m", "tests.keycloak.server", directory, "--until-end-of", str(run), "--throw-away"]
    keeper = subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
    )
    with keeper.stdout or Path(os.devnull).open("rb") as output:  # never: stdout is a pipe
        line = output.readline().decode()
    keeper.returncode = 0  # it outlives this process on purpose; without a word Python would complain at exit
    return line or json.dumps({"failed": "its keeper ended without a word"})
