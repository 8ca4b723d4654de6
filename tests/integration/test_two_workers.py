"""Two workers of `vinc serve` behind PgBouncer in transaction mode, with two tenants, as docs/scaling.md says it.

A caller's connection belongs to one worker for as long as it is kept; whose process holds the other end tells which.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any, TypeVar

import psutil
import psycopg
import pytest

from vinc_testing.embedded.valkey import ValkeyServer, start_valkey
from vinc_testing.servers import TOKEN_SECRET, Servers, conninfo

from ..contract.test_wiring import pretend_installed
from ..credentials import credentials
from ..pages import ROOT
from .bouncer import bouncer
from .preloaded import preloaded
from .serving import free_port, serving

VINC = str(Path(sys.executable).with_name("vinc"))
EXAMPLE = ROOT / "examples/acme-invoices"
TENANTS = ("acme", "globex")
BACKENDS = 3  # fewer than the two workers have connections to the pooler, so that they must share
CALLERS, MOST_CALLERS = 16, 200
REQUESTS = 20  # of each caller
SECONDS_TO_FORGET = 2.0  # twice what is promised: the machine that runs this may be busy
INVOICES_OF = "select count(*) from invoices_invoice where tenant_id in (select id from tenants_tenant where slug = %s)"
PREPARED = "select pg_backend_pid(), (select count(*) from pg_prepared_statements)"


@dataclass(frozen=True)
class Installation:
    """A database with the example's tables and two tenants, and the settings of an application on it."""

    path: Path
    settings: Mapping[str, str]
    direct: str
    admin: str
    ids: Mapping[str, str]


@dataclass(frozen=True)
class Running:
    """Where the workers answer, and the database through the pooler."""

    port: int
    pooled: str

    def prepared(self) -> dict[int, int]:
        """How many statements are prepared on each of them; all are held meanwhile, so that each is asked."""
        with ExitStack() as stack:
            asked = [
                stack.enter_context(psycopg.connect(conninfo(self.pooled), prepare_threshold=None)).execute(PREPARED)
                for _ in range(BACKENDS)
            ]
            return dict(cursor.fetchall()[0] for cursor in asked)


@pytest.fixture(scope="module")
def installation(vinc_servers: Servers, vinc_worker: str) -> Iterator[Installation]:
    """Made by the commands that an operator uses, directly; the example is as good as installed."""
    prefix = f"{vinc_servers.prefix}_{vinc_worker}_two"
    with TemporaryDirectory(prefix="vinc-two-") as folder:
        path = Path(folder)
        pretend_installed(EXAMPLE, path)
        plugins = ("health", "identity", "tenants", "invoices")
        (path / "plugins.toml").write_text("".join(f"[plugins.{name}]\n" for name in plugins))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("VINC_")}
        direct = vinc_servers.database(prefix, f"{prefix}_app", "secret")
        settings = {
            **kept,
            "PYTHONPATH": os.pathsep.join([folder, str(EXAMPLE), *filter(None, [kept.get("PYTHONPATH")])]),
            "VINC_ENV": "test",
            "VINC_JWT_TEST_SECRET": TOKEN_SECRET,
            "VINC_DATABASE_ROLE_PREFIX": prefix,
            "VINC_DB_POOL_SIZE": "2",
            "VINC_DB_MAX_OVERFLOW": "4",
        }
        migrator = vinc_servers.database(prefix, f"{prefix}_migrator", "secret")
        environ = {**settings, "VINC_DATABASE_URL": direct, "VINC_DATABASE_MIGRATION_URL": migrator}
        with preloaded(Path(sys.executable), environ) as vinc:
            for words in (["db", "init", "--admin-url", vinc_servers.postgres], ["db", "upgrade"], ["tenants", "demo"]):
                done = vinc.run(words, path, environ)
                assert done.returncode == 0, done.stdout + done.stderr
            listed = json.loads(vinc.run(["tenants", "list", "--json"], path, environ).stdout)
        yield Installation(
            path, settings, direct, vinc_servers.database(prefix), {one["slug"]: one["id"] for one in listed}
        )


class Connection:
    """One connection to the server, and the worker that holds it."""

    def __init__(self, port: int) -> None:
        self.line = HTTPConnection("127.0.0.1", port, timeout=10)
        self.line.request("GET", "/health/live")
        self.line.getresponse().read()
        self.worker = holder(port, self.line.sock.getsockname()[1])


class Caller(Connection):
    def ask(self, method: str, path: str, tenant: str, body: Any = None, *, role: str = "wholesale_admin") -> Answer:
        headers = credentials(f"alice;{role};{tenant}") | {"X-Tenant-ID": tenant}
        if body is not None:
            headers["Content-Type"] = "application/json"
        self.line.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
        answer = self.line.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else None

    def sees(self, tenant: str) -> set[str]:
        status, found = self.ask("GET", "/invoices", tenant)
        assert status == 200, found
        return {one["number"] for one in found["items"]}


Answer = tuple[int, Any]
Kind = TypeVar("Kind", bound=Connection)


def holder(port: int, ours: int) -> int | None:
    """The process that has accepted the connection which begins at this port of ours."""
    for one in psutil.net_connections("tcp4"):
        if one.laddr and one.raddr and (one.laddr.port, one.raddr.port) == (port, ours):
            return one.pid
    return None


@contextmanager
def callers_of_both(port: int, count: int, kind: Callable[[int], Kind]) -> Iterator[list[Kind]]:
    """At least so many callers, as many as it takes until each of the two workers holds one."""
    with ExitStack() as lines:
        made = list[Kind]()
        while len(made) < count or len({one.worker for one in made}) < 2:
            assert len(made) < MOST_CALLERS, f"all connections are held by {made[0].worker}"
            made.append(kind(port))
            lines.callback(made[-1].line.close)
        yield made


@pytest.fixture(scope="module")
def running(installation: Installation) -> Iterator[Running]:
    """Two workers that know the database through a pooler, and hear of each other's changes by polling it."""
    port = free_port()
    command = [VINC, "serve", "--workers", "2", "--port", str(port)]
    with bouncer(installation.direct, connections=BACKENDS) as pooled:
        environ = {**installation.settings, "VINC_DATABASE_URL": pooled}
        with serving(command, port, cwd=installation.path, environ=environ):
            yield Running(port, pooled)


def test_both_workers_serve_both_tenants_their_own_rows_and_prepare_nothing(running: Running) -> None:
    written = {tenant: {f"{tenant}-{number}" for number in range(5)} for tenant in TENANTS}
    with (
        callers_of_both(running.port, CALLERS, Caller) as callers,
        ThreadPoolExecutor(CALLERS) as threads,
    ):
        for tenant, numbers in written.items():
            for caller, number in zip(callers, sorted(numbers), strict=False):
                assert caller.ask("POST", "/invoices", tenant, {"number": number, "amount": "1.50"})[0] == 201

        def foreign(index: int) -> list[set[str]]:
            """What a caller was shown instead of the right rows; neighbours ask for another tenant each."""
            asked = [TENANTS[(turn + index) % 2] for turn in range(REQUESTS)]
            return [seen for tenant in asked if (seen := callers[index].sees(tenant)) != written[tenant]]

        wrong = [seen for found in threads.map(foreign, range(len(callers))) for seen in found]
        prepared = running.prepared()

    assert wrong == []
    assert len(prepared) == BACKENDS
    assert set(prepared.values()) == {0}


def test_a_suspended_tenant_is_refused_by_both_workers_soon(running: Running, installation: Installation) -> None:
    acme = f"/tenants/{installation.ids['acme']}"
    with callers_of_both(running.port, 2, Caller) as callers:
        members = {one.worker: one for one in callers}.values()
        assert callers[0].ask("POST", f"{acme}/suspend", "acme", role="super_admin")[0] == 200
        suspended = until_all(members, 403)
        refused = {one.ask("GET", "/invoices", "acme")[1]["type"] for one in members}
        others = {one.ask("GET", "/invoices", "globex")[0] for one in members}
        assert callers[0].ask("POST", f"{acme}/reactivate", "acme", role="super_admin")[0] == 200
        active = until_all(members, 200)

    assert refused == {"urn:vinc:problem:tenant-suspended"}
    assert others == {200}
    assert max(suspended, active) < SECONDS_TO_FORGET


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    """One of this test's own, which it may freeze."""
    with TemporaryDirectory(prefix="vinc-test-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o711)  # as in test_embedded
        server = start_valkey(Path(made) / "valkey", die_with_parent=True)
        try:
            yield server
        finally:
            os.kill(server.pid, signal.SIGCONT)
            server.stop()


def test_no_row_is_written_behind_a_purge_while_redis_is_frozen(
    installation: Installation, valkey: ValkeyServer
) -> None:
    port = free_port()
    environ = {**installation.settings, "VINC_DATABASE_URL": installation.direct, "VINC_REDIS_URL": valkey.url}

    def vinc(*words: str) -> str:
        command = [VINC, "tenants", *words]
        done = subprocess.run(command, cwd=installation.path, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    vinc("create", "initech")
    with (
        serving([VINC, "serve", "--workers", "2", "--port", str(port)], port, cwd=installation.path, environ=environ),
        callers_of_both(port, 4, Caller) as callers,
        ThreadPoolExecutor(len(callers)) as threads,
    ):
        writers = [threads.submit(write_until_refused, one, number) for number, one in enumerate(callers)]
        os.kill(valkey.pid, signal.SIGSTOP)
        vinc("close", "initech")
        purged = vinc("purge", "initech", "--now", "--yes")
        written = [one.result() for one in writers]
    with psycopg.connect(conninfo(installation.admin)) as connection:
        left = connection.execute(INVOICES_OF, ["initech"]).fetchall()

    assert min(written) > 0
    assert left == [(0,)]
    assert purged.startswith(f"purged initech: {sum(written)} rows of ")


def write_until_refused(caller: Caller, number: int) -> int:
    """Write as one who runs the platform, and may do so in a closing tenant; return the number of rows."""
    deadline = monotonic() + 60
    for count in itertools.count():
        assert monotonic() < deadline, "nobody refuses the tenant"
        body = {"number": f"{number}-{count}", "amount": "1.50"}
        status, answer = caller.ask("POST", "/invoices", "initech", body, role="super_admin")
        if status != 201:
            assert (status, answer["type"]) == (403, "urn:vinc:problem:forbidden")
            return count
    raise AssertionError


def until_all(members: Collection[Caller], status: int) -> float:
    """Seconds until each of them is answered so."""
    began = monotonic()
    while {one.ask("GET", "/invoices", "acme")[0] for one in members} != {status}:
        assert monotonic() - began < 10, f"not every worker answers {status}"
        sleep(0.02)
    return monotonic() - began
