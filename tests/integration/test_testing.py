"""The pytest plugin: the application on real servers, clean for each test, quick, and gone with the run."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter

import psycopg
import pytest

from vinc_testing import ClientAs, Database, Servers, pytest_report_header
from vinc_testing.embedded.process import wait_until
from vinc_testing.servers import conninfo

# What a plugin's author writes, in a directory of their own.
THEIRS = """
import asyncio, os, pathlib
import pytest
from vinc_testing import ClientAs, Database, Servers

@pytest.mark.parametrize("number", range(4))
async def test_a_tenant_is_there(client_as: ClientAs, vinc_servers: Servers, number: int) -> None:
    assert (await client_as("viewer", "acme").get("/tenants/me")).json()["slug"] == "acme"
    pathlib.Path(f"server-{number}").write_text(vinc_servers.postgres)
    await asyncio.sleep(float(os.environ.get("LINGER", "0")))
"""
CONFIGURATION = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
SECONDS_TO_START, SECONDS_TO_END = 60, 10


@pytest.mark.parametrize("_", range(2))
async def test_a_test_finds_nothing_of_the_one_before(client_as: ClientAs, vinc_database: Database, _: int) -> None:
    assert vinc_database.admin.execute("select count(*) from tenants_tenant").fetchone() == (0,)
    client_as("viewer", "acme")


async def test_clearing_is_quick(vinc_database: Database) -> None:
    vinc_database.add_tenant("acme")
    began = perf_counter()
    vinc_database.clear()

    assert perf_counter() - began < 0.2  # 0.02 on a machine of its own


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A directory with tests of a stranger's, as another company would write them."""
    (tmp_path / "test_theirs.py").write_text(THEIRS)
    (tmp_path / "pytest.ini").write_text(CONFIGURATION)
    (tmp_path / "plugins.toml").write_text("[plugins.tenants]\n")
    return tmp_path


def test_the_header_says_which_plugins_run(
    theirs: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VINC_PLUGINS_FILE", raising=False)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    missing = pytest_report_header()
    monkeypatch.setenv("VINC_PLUGINS_FILE", str(theirs / "plugins.toml"))

    assert missing.endswith("so every installed plugin runs; name the file with VINC_PLUGINS_FILE")
    assert pytest_report_header() == f"vinc: the plugins of {theirs / 'plugins.toml'}"


def command(workers: int) -> Sequence[str]:
    return [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "-p", "no:cacheprovider"]


def test_workers_share_a_server_that_was_lent_and_leave_nothing_on_it(theirs: Path, vinc_servers: Servers) -> None:
    before = databases_and_roles(vinc_servers)
    environ = {**os.environ, "VINC_TEST_DATABASE_URL": vinc_servers.postgres}
    run = subprocess.run(
        command(2), cwd=theirs, env=without_xdist(environ), capture_output=True, text=True, timeout=120, check=False
    )

    assert "4 passed" in run.stdout, run.stdout
    assert wait_until(lambda: databases_and_roles(vinc_servers) <= before, SECONDS_TO_END)


def test_servers_are_gone_when_a_run_is_killed(theirs: Path) -> None:
    environ = without_xdist({**os.environ, "LINGER": "60"})
    with subprocess.Popen(command(0), cwd=theirs, env=environ, stdout=subprocess.DEVNULL) as run:
        try:
            assert wait_until(lambda: any(theirs.glob("server-*")), SECONDS_TO_START)
            addresses = {file.read_text() for file in theirs.glob("server-*")}
        finally:
            run.send_signal(signal.SIGKILL)

    assert len(addresses) == 1
    assert wait_until(lambda: not any(map(answers, addresses)), SECONDS_TO_END)


def without_xdist(environ: Mapping[str, str]) -> dict[str, str]:
    """Our own run may be a worker's; theirs begins anew."""
    return {name: value for name, value in environ.items() if not name.startswith("PYTEST_")}


def databases_and_roles(servers: Servers) -> set[str]:
    """What stands on the server; other workers of this run add theirs, so only names of other runs are told."""
    query = "select datname from pg_database union select rolname from pg_roles"
    with psycopg.connect(conninfo(servers.postgres), autocommit=True) as connection:
        found = {str(name) for (name,) in connection.execute(query).fetchall()}
    return {name for name in found if name.startswith("vinc_test_") and not name.startswith(servers.prefix)}


def answers(address: str) -> bool:
    try:
        psycopg.connect(conninfo(address), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
