"""Real servers for tests, once a run: the first worker that needs them has them started, the others find them."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.engine import URL, make_url

from vinc_kernel.errors import VincError

from .embedded.home import locked

POSTGRES_SETTING = "VINC_TEST_DATABASE_URL"
REDIS_SETTING = "VINC_TEST_REDIS_URL"
NOTE = "vinc-servers.json"
TOKEN_SECRET = "known to everybody, and of no use outside of tests"  # noqa: S105  production refuses any such secret


class ServersNotStarted(VincError):
    """The servers for the tests did not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Where the servers of this run are. `postgres` is a superuser's address; `prefix` begins all names of this run."""

    postgres: str
    redis: str
    prefix: str

    @property
    def template(self) -> str:
        """The database that every worker's is a copy of."""
        return f"{self.prefix}_template"

    def database(self, name: str, user: str | None = None, password: str | None = None) -> str:
        """The address of a database on this server, as another user where one is named."""
        url = make_url(self.postgres).set(database=name)
        if user:
            url = URL.create(url.drivername, user, password, url.host, url.port, name, url.query)
        return url.render_as_string(hide_password=False)

    def redis_database(self, number: int) -> str:
        """The address of one of the numbered databases of this Redis."""
        if self.redis.startswith("unix:"):
            return f"{self.redis}?db={number}"
        return urlsplit(self.redis)._replace(path=f"/{number}").geturl()


def conninfo(address: str) -> str:
    """An address of SQLAlchemy's form, as libpq takes it."""
    return address.replace("postgresql+psycopg:", "postgresql:", 1)


def servers(shared: Path, run: int) -> Servers:
    """The servers of this run, whose main process is `run`; raises ServersNotStarted.

    `shared` is a directory that all workers of this run see.
    """
    note = shared / NOTE
    once(shared, note.name, lambda: note.write_text(json.dumps(asdict(started(run)))))
    return Servers(**json.loads(note.read_text()))


def once(shared: Path, name: str, do: Callable[[], object]) -> None:
    """Do it in one worker of the run, while the others wait; one that fails leaves it to the next."""
    done = shared / f"{name}.done"
    with locked(shared):
        if not done.exists():
            do()
            done.touch()


def started(run: int) -> Servers:
    directory = Path(tempfile.mkdtemp(prefix="vinc-tests-"))
    directory.chmod(0o711)  # the account that the servers run as, when we are root, must get through
    prefix = f"vinc_test_{secrets.token_hex(4)}"
    command = [sys.executable, "-m", "vinc_testing.keeper", str(directory), str(run), prefix]
    with (directory / "keeper.log").open("wb") as log:
        keeper = subprocess.Popen(  # noqa: S603  our own module
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
    import_module("vinc_kernel.app")  # which every test needs; the keeper starts meanwhile
    with keeper.stdout or open(os.devnull, "rb") as output:  # noqa: PTH123  never: stdout is a pipe
        line = output.readline()
    # It outlives this process on purpose; without a word Python would complain about that at exit.
    keeper.returncode = 0
    if not line:
        raise ServersNotStarted((directory / "keeper.log").read_text(errors="replace").strip().rpartition("\n")[2])
    told = json.loads(line)
    if "error" in told:
        raise ServersNotStarted(told["error"])
    return Servers(**told)
