"""Make the database's roles, migrate it, load the demo tenants, and tell which plugins there are: one child process."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from vinc_testing.embedded.process import dying_with

from . import servers
from .state import ROOT, Refused, Wish, say

MARK, LISTED = "prepared.json", "plugins.json"


@dataclass(frozen=True, slots=True)
class Preparation:
    """A preparation under way. `is_known`: the same one succeeded before, so that nobody has to wait for it."""

    state: Path
    child: subprocess.Popen[bytes]
    mark: Mapping[str, str]
    is_known: bool

    def finish(self, wish: Wish) -> list[dict[str, Any]]:
        """Wait for its end and return the plugins; raises Refused, or Stopped."""
        while self.child.poll() is None:
            wish.check()
            time.sleep(0.01)
        wish.check()
        if self.child.returncode != 0:
            raise Refused("the database could not be prepared: the reason stands above")
        (self.state / MARK).write_text(json.dumps(self.mark))
        plugins: list[dict[str, Any]] = json.loads((self.state / LISTED).read_text())
        return plugins

    def stop(self) -> None:
        if self.child.poll() is None:
            self.child.terminate()
        self.child.wait()


def start(
    state: Path,
    given: Mapping[str, str],
    running: servers.Servers,
    environ: Mapping[str, str],
    also: Sequence[list[str]] = (),
) -> Preparation:
    """Start it. What was done before for this database is left out, except for migrating, and what is `also` to be."""
    before = read_mark(state)
    mark = {"database": identity(given, running), "inputs": inputs(), "also": json.dumps(also)}
    migrator = servers.migration_url(given, running)
    commands: list[list[str]] = []
    if migrator is None:
        say(f"{servers.MIGRATION_URL} is not set: the named database is taken as it is")
    elif before.get("database") == mark["database"]:
        say("migrating")
        commands = [["db", "upgrade"]]
    else:
        say("migrating, and loading the demo tenants")
        admin = servers.admin_url(running)
        commands = [["db", "init", "--admin-url", admin]] if admin else []
        commands += [["db", "upgrade"], ["tenants", "demo"]]
    commands += also
    told = {**environ, servers.MIGRATION_URL: migrator} if migrator else environ
    words = [sys.executable, "-m", "development.prepare", str(state / LISTED), json.dumps(commands)]
    child = subprocess.Popen(
        words,
        cwd=ROOT,
        env=told,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # a terminal's Ctrl-C is for us
        preexec_fn=dying_with(os.getpid(), signal.SIGTERM),  # noqa: PLW1509 - prctl must be called by the child
    )
    return Preparation(state, child, mark, is_known=before == mark)


def read_mark(state: Path) -> dict[str, str]:
    try:
        mark: dict[str, str] = json.loads((state / MARK).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return mark


def identity(given: Mapping[str, str], running: servers.Servers) -> str:
    """Which database it is, without telling a password; another one once the embedded server was made anew."""
    if running.postgres is None:
        return sha256(given[servers.DATABASE_URL].encode()).hexdigest()
    with (running.postgres.directory / "data" / "global" / "pg_control").open("rb") as control:
        return control.read(8).hex()  # the system identifier, from the moment of its making: catalog/pg_control.h


def inputs() -> str:
    """Changes with everything that migrations are made of: our files, the packages that are installed, the manifest."""
    watched = [ROOT / "plugins.toml", ROOT / "constraints.txt", ROOT / ".env", Path(sysconfig.get_path("purelib"))]
    for folder in ("kernel", "plugins"):
        watched += sorted((ROOT / folder).rglob("*.py"))
    found = sorted((name, value) for name, value in os.environ.items() if name.startswith("VINC_"))
    total = sha256(repr(found).encode())
    for path in watched:
        if path.exists():
            stat = path.stat()
            total.update(f"{path} {stat.st_mtime_ns} {stat.st_size}\n".encode(errors="surrogateescape"))
    return total.hexdigest()
