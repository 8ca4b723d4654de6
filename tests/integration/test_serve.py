"""The server as an operator runs it: `vinc serve` in a process of its own, on real servers."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Container, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from vinc_testing import Database, Servers
from vinc_testing.databases import environment
from vinc_testing.embedded.postgres import start_postgres
from vinc_testing.embedded.process import wait_until

from ..credentials import credentials
from .serving import free_port

ROOT = Path(__file__).parents[2]
VINC = str(Path(sys.executable).with_name("vinc"))
PRODUCTION = {"VINC_ENV": "prod", "VINC_SECRET_KEY": "s" * 32, "VINC_JWT_TEST_SECRET": ""}
UVICORN = str(Path(sys.executable).with_name("uvicorn"))
Serving = Callable[..., AbstractContextManager[httpx.Client]]


def run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("VINC_")} | environ
    return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def answers(client: httpx.Client, path: str, status: int) -> bool:
    try:
        return client.get(path).status_code == status
    except httpx.TransportError:
        return False


OPERATOR = credentials("root;super_admin;")["Authorization"]


@pytest.fixture
def settings(vinc_servers: Servers, vinc_database: Database) -> Mapping[str, str]:
    vinc_database.add_tenant("acme")
    quick = {"VINC_LOG_LEVEL": "info", "VINC_DATABASE_START_TIMEOUT": "2", "VINC_DB_POOL_TIMEOUT": "2"}
    return environment(vinc_servers, vinc_database.name) | quick


@pytest.fixture
def production(settings: Mapping[str, str], tmp_path: Path) -> dict[str, str]:
    """The same in production, where the development issuer must not be."""
    manifest = tmp_path / "plugins.toml"
    manifest.write_text("[plugins.health]\n[plugins.identity]\n[plugins.tenants]\n")
    return dict(settings) | PRODUCTION | {"VINC_PLUGINS_FILE": str(manifest)}


@pytest.fixture
def open_directory() -> Generator[Path]:
    """A directory in a place that the servers' account may enter; pytest's own are closed."""
    with TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made) / "postgres"


@contextmanager
def serving(
    log: Path, command: list[str], environ: Mapping[str, str], codes: Container[int] = (0,)
) -> Generator[httpx.Client]:
    port = free_port()
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VINC_")}
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [*command, "--port", str(port)], env=kept | dict(environ), cwd=ROOT, stdout=lines, stderr=lines
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
                assert wait_until(lambda: answers(client, "/health/ready", 200), 30), log.read_text()
                yield client
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(40) in codes, log.read_text()


@pytest.mark.parametrize(
    "command",
    [[VINC, "serve", "--workers", "2"], [UVICORN, "vinc_kernel.main:app", "--workers", "2"]],
    ids=["vinc", "uvicorn"],
)
def test_it_serves_a_tenant_out_of_the_database(
    command: list[str], settings: Mapping[str, str], tmp_path: Path
) -> None:
    with serving(tmp_path / "log", command, settings) as client:
        answer = client.get("/api/v1/tenants/me", headers=credentials("alice;viewer;acme"))

    assert (answer.status_code, answer.json()["slug"]) == (200, "acme")


def test_the_supervisor_tries_optional_plugins_once_for_all_workers(
    settings: Mapping[str, str], tmp_path: Path
) -> None:
    imports = {name: install_optional(tmp_path, name, code) for name, code in {"bad": "1 / 0", "fine": ""}.items()}
    manifest = tmp_path / "plugins.toml"
    manifest.write_text(
        (ROOT / "plugins.toml").read_text() + "[plugins.bad]\nrequired = false\n[plugins.fine]\nrequired = false\n"
    )
    given = dict(settings) | {"VINC_PLUGINS_FILE": str(manifest), "PYTHONPATH": str(tmp_path)}
    with serving(tmp_path / "log", [VINC, "serve", "--workers", "2"], given):
        log = tmp_path / "log"
        assert wait_until(
            lambda: log.read_text().count("plugin bad is quarantined: bad: import: ZeroDivision") == 2, 20
        )

    assert {name: len(file.read_text()) for name, file in imports.items()} == {"bad": 1, "fine": 3}
    assert "FAILED_VINC_PLUGINS" not in log.read_text()


def install_optional(folder: Path, name: str, code: str) -> Path:
    """Install a plugin that runs this code when it is imported; return the file that gets a byte for each import."""
    package, info = folder / f"serve_{name}", folder / f"serve_{name}-1.dist-info"
    package.mkdir()
    info.mkdir()
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text(f"open(__file__ + '.imports', 'a').write('x')\n{code}\n")
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: serve-{name}\nVersion: 1\nRequires-Dist: vinc-kernel\n"
    )
    (info / "entry_points.txt").write_text(f"[vinc.plugins]\n{name} = serve_{name}.plugin\n")
    return package / "plugin.py.imports"


def test_who_sends_half_a_body_does_not_hold_up_the_stop(settings: Mapping[str, str], tmp_path: Path) -> None:
    half = b"POST /api/v1/tenants HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nContent-Type: application/json\r\n"
    with serving(tmp_path / "log", [VINC, "serve"], settings) as client, socket.socket() as line:
        line.connect((client.base_url.host, client.base_url.port))
        line.sendall(half + f'Authorization: {OPERATOR}\r\n\r\n{{"slug": '.encode())
        sleep(0.5)  # until it is read; `serving` then asks it to stop, and waits
        client.close()


ENDS = """
import asyncio, time
from contextlib import asynccontextmanager
from vinc_kernel import hooks
@hooks.lifespan
@asynccontextmanager
async def life(app):
    app.background(work, every=1)
    yield
    await asyncio.to_thread(time.sleep, 99)
@hooks.lifespan
@asynccontextmanager
async def other(app):
    yield
    await asyncio.sleep(99)
async def work():
    while True:
        try:
            await asyncio.sleep(99)
        except asyncio.CancelledError:
            pass
"""


@pytest.mark.parametrize(
    "command", [[VINC, "serve"], [VINC, "serve", "--workers", "2"], [UVICORN, "vinc_kernel.main:app"]]
)
def test_whatever_a_plugin_leaves_running_does_not_hold_up_the_stop(
    command: list[str], settings: Mapping[str, str], tmp_path: Path
) -> None:
    given = with_bad_plugin(ENDS, settings, tmp_path)
    with serving(tmp_path / "log", command, given, codes={0, 1, -signal.SIGTERM}):  # it waits for 40 seconds at most
        pass

    assert "bad: lifespan: its end takes longer than 3 s" in (tmp_path / "log").read_text()


def with_bad_plugin(code: str, settings: Mapping[str, str], tmp_path: Path) -> dict[str, str]:
    """The settings of an installation with an optional plugin of this code."""
    install_optional(tmp_path, "bad", code)
    manifest = tmp_path / "plugins.toml"
    manifest.write_text((ROOT / "plugins.toml").read_text() + "[plugins.bad]\nrequired = false\n")
    return dict(settings) | {
        "VINC_PLUGINS_FILE": str(manifest),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
        "VINC_PLUGIN_LOAD_TIMEOUT": "3",
    }


def test_a_lifespan_that_blocks_ends_the_start_with_its_line(settings: Mapping[str, str], tmp_path: Path) -> None:
    given = with_bad_plugin(ENDS.replace("    app.background(work, every=1)", "    time.sleep(99)"), settings, tmp_path)
    command = [UVICORN, "vinc_kernel.main:app", "--port", "0"]
    done = subprocess.run(command, env=given, capture_output=True, timeout=60, check=False)

    assert done.returncode == 1
    assert re.search(rb"bad: lifespan: it takes longer than 3 s \(\S+\.py:\d+\)", done.stdout)


SPEAKS = """
from fastapi import APIRouter, WebSocket
from fastapi.responses import StreamingResponse
from vinc_kernel import Contribution, errors, hooks, public

router = APIRouter(prefix="/speaks", dependencies=[public("a test asks")])

@router.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(str(len(text)))

@router.get("/cut")
async def cut() -> StreamingResponse:
    async def parts():
        yield b"first"
        raise errors.TenantSuspended
    return StreamingResponse(parts())

@hooks.contribute
def contribute() -> Contribution:
    return Contribution(routers=[router])
"""


def test_a_long_message_closes_its_socket_and_a_cut_response_is_no_traceback(
    settings: Mapping[str, str], tmp_path: Path
) -> None:
    install_optional(tmp_path, "speaks", SPEAKS)
    manifest = tmp_path / "plugins.toml"
    manifest.write_text((ROOT / "plugins.toml").read_text() + "[plugins.speaks]\nrequired = false\n")
    given = dict(settings) | {
        "VINC_PLUGINS_FILE": str(manifest),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
        "VINC_MAX_BODY_SIZE": "2000",
    }
    with serving(tmp_path / "log", [VINC, "serve"], given) as client:
        address = f"ws://{client.base_url.netloc.decode()}/api/v1/speaks/echo"
        with connect(address) as line:
            line.send("x" * 2000)
            assert line.recv() == "2000"
            line.send("x" * 2001)
            with pytest.raises(ConnectionClosedError) as closed:
                line.recv()
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            client.get("/api/v1/speaks/cut")
    log = (tmp_path / "log").read_text()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    assert log.count("response cut short") == 1
    assert "Traceback" not in log


def test_one_structured_line_a_request_with_nothing_that_the_caller_sent(
    settings: Mapping[str, str], tmp_path: Path
) -> None:
    sent = credentials("canary-subject;viewer;acme") | {"X-Request-ID": "trace-1", "X-Other": "canary-header"}
    with serving(tmp_path / "log", [VINC, "serve"], settings) as client:
        answer = client.get("/api/v1/tenants/me?canary=query", headers=sent)
        client.get("/canary-path%0d%0aforged", headers={"X-Request-ID": "trace-2"})
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    known, unknown = (next(one for one in lines if one.get("request_id") == f"trace-{i}") for i in (1, 2))

    assert answer.json()["slug"] == "acme"
    assert (known["method"], known["route"], known["status"]) == ("GET", "/api/v1/tenants/me", 200)
    assert (known["plugin"], unknown["plugin"]) == ("tenants", "kernel")
    assert (unknown["route"], unknown["tenant"]) == ("(none)", "vinc")
    assert len(known["tenant"]) == 36
    assert known["ms"] > 0
    assert "canary" not in (tmp_path / "log").read_text()


def test_readiness_goes_and_comes_back_with_the_database(
    settings: Mapping[str, str], tmp_path: Path, open_directory: Path
) -> None:
    server = start_postgres(open_directory, die_with_parent=True)
    try:
        own = dict(settings) | {
            "VINC_DATABASE_URL": server.url("vinc_app", "vinc"),
            "VINC_DATABASE_MIGRATION_URL": server.url("vinc_migrator", "vinc"),
            "VINC_DATABASE_ROLE_PREFIX": "vinc",
        }
        made = run(VINC, "db", "init", "--admin-url", server.url("postgres", "postgres"), **own)
        assert made.returncode == 0, made.stderr
        assert run(VINC, "db", "upgrade", **own).returncode == 0
        with serving(tmp_path / "log", [VINC, "serve"], own) as client:
            server.stop()
            assert wait_until(lambda: answers(client, "/health/ready", 503), 10)
            assert client.get("/health/live").status_code == 200
            refused = client.get("/api/v1/tenants/me", headers=credentials("alice;viewer;acme"))
            assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
            server = start_postgres(open_directory, die_with_parent=True)
            assert wait_until(lambda: answers(client, "/health/ready", 200), 10)
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("wrong", "line", "workers"),
    [
        ({"VINC_DATABASE_URL": "postgresql://canary-user:canary-word@127.0.0.1:1/x"}, "PostgreSQL at 127.0.0.1:1", "1"),
        ({"VINC_DATABASE_URL": "postgresql://canary-user:canary-word@127.0.0.1:1/x"}, "PostgreSQL at 127.0.0.1:1", "2"),
        ({"VINC_DB_POOL_SIZE": "canary"}, "vinc: VINC_DB_POOL_SIZE (environment)", "2"),
        ({"VINC_ENV": "production"}, "vinc: VINC_ENV (environment)", "1"),
        ({"VINC_PLUGINS_FILE": "nowhere.toml"}, "vinc: nowhere.toml: there is no such file", "1"),
        ({"VINC_DATABASE_URL": ""}, "VINC_DATABASE_URL", "1"),
    ],
    ids=["no server", "no server, two workers", "wrong setting", "wrong environment", "no manifest", "no database"],
)
def test_what_stops_the_start_is_one_line_and_exit_code_1(
    settings: Mapping[str, str], wrong: dict[str, str], line: str, workers: str
) -> None:
    given = dict(settings) | {"VINC_LOG_FORMAT": "text", "VINC_LOG_LEVEL": "error"} | wrong
    done = run(VINC, "serve", "--port", str(free_port()), "--workers", workers, **given)
    told = [one for one in (done.stdout + done.stderr).splitlines() if line in one]

    assert done.returncode == 1
    assert told
    assert len(set(told)) == 1 or workers == "2"
    assert "Traceback" not in done.stdout + done.stderr
    assert "canary" not in done.stdout + done.stderr


def test_a_taken_port_is_one_line(settings: Mapping[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run(VINC, "serve", "--port", str(taken.getsockname()[1]), **settings)

    assert done.returncode == 1
    assert "address already in use" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(("env", "starts"), [("prod", False), ("dev", True)])
def test_production_refuses_a_role_for_which_row_level_security_is_off(
    production: dict[str, str],
    vinc_servers: Servers,
    vinc_database: Database,
    tmp_path: Path,
    *,
    env: str,
    starts: bool,
) -> None:
    given = production | {"VINC_ENV": env, "VINC_DATABASE_URL": vinc_servers.database(vinc_database.name)}
    line = "this role is a superuser, so nothing keeps tenants apart; connect as "
    if starts:
        with serving(tmp_path / "log", [VINC, "serve"], given):
            assert line in (tmp_path / "log").read_text()
    else:
        done = run(VINC, "serve", "--port", str(free_port()), **given)
        assert done.returncode == 1
        assert line in done.stdout


def test_production_refuses_tables_that_are_behind_with_the_command(
    production: dict[str, str], vinc_database: Database
) -> None:
    ((newest,),) = vinc_database.admin.execute("delete from vinc_version_tenants returning version_num").fetchall()
    try:
        prod = run(VINC, "serve", "--port", str(free_port()), **production)
    finally:
        vinc_database.admin.execute("insert into vinc_version_tenants values (%s)", [newest])

    assert prod.returncode == 1
    assert f"tenants: database: the database is at base, not at {newest}" in prod.stdout
    assert "run: vinc db upgrade" in prod.stdout
