"""Doubled headers over raw sockets, with both of uvicorn's parsers and in every order."""

from __future__ import annotations

import io
import itertools
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from time import monotonic, sleep

import pytest
import uvicorn

from vinc_kernel.app import create_app
from vinc_kernel.settings import KernelSettings, LogSettings, ServiceSettings
from vinc_kernel.telemetry import request_log

from ..credentials import JWT, credentials

GOOD = credentials("alice;viewer;acme")["Authorization"]
OTHER = credentials("bob;viewer;globex")["Authorization"]
TENANTS = ["X-Tenant-ID: acme", "X-Tenant-ID: globex", "x-tenant-id: acme", "X_Tenant_ID: globex"]


@pytest.fixture(scope="module", params=["h11", "httptools"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[int, io.StringIO]]:
    settings = KernelSettings(service=ServiceSettings(env="test"), jwt=JWT, log=LogSettings(format="json"))
    app, log = create_app(settings), io.StringIO()
    app.pipeline.log_request = request_log(settings.log, log)
    config = uvicorn.Config(app, port=0, lifespan="off", http=request.param, log_config=None, access_log=False)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    deadline = monotonic() + 10
    while not running.started and monotonic() < deadline:
        sleep(0.01)
    yield running.servers[0].sockets[0].getsockname()[1], log
    running.should_exit = True
    thread.join(10)


def status_of(port: int, *headers: str, method: str = "GET") -> int:
    lines = [f"{method} /api/v1/health HTTP/1.1", "Host: here", "Connection: close", *headers, "", ""]
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as line:
        line.sendall("\r\n".join(lines).encode("latin-1"))
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("pair", list(itertools.permutations(TENANTS, 2)), ids=" then ".join)
def test_a_doubled_tenant_is_400_and_nothing_is_logged_as_tenant(
    server: tuple[int, io.StringIO], pair: tuple[str, str]
) -> None:
    port, log = server
    log.truncate(0)
    log.seek(0)

    assert status_of(port, f"Authorization: {GOOD}", *pair) == 400
    assert [json.loads(line)["tenant"] for line in log.getvalue().splitlines()] == ["vinc"]


@pytest.mark.parametrize("other", [GOOD, OTHER, "Bearer x"], ids=["same", "other", "bad"])
def test_doubled_credentials_are_400_in_either_order(server: tuple[int, io.StringIO], other: str) -> None:
    port, _ = server

    assert status_of(port, f"Authorization: {GOOD}", f"Authorization: {other}") == 400
    assert status_of(port, f"Authorization: {other}", f"authorization: {GOOD}") == 400


@pytest.mark.parametrize(
    "said", ["baggage: tenant.id=acme,enduser.id=root", "X-Tenant-ID: globex", "tracestate: a=acme"]
)
def test_what_only_the_caller_says_is_not_logged_as_tenant(server: tuple[int, io.StringIO], said: str) -> None:
    port, log = server
    log.truncate(0)
    log.seek(0)

    assert status_of(port, said) == 200
    (line,) = map(json.loads, log.getvalue().splitlines())
    assert line["tenant"] == "vinc"
    assert "globex" not in str(line)
    assert "acme" not in str(line)


@pytest.mark.parametrize("value", ["a" * 65, "ac\xe9me", "a" * 60_000])
def test_an_oversized_or_foreign_tenant_is_400(server: tuple[int, io.StringIO], value: str) -> None:
    port, _ = server

    assert status_of(port, f"X-Tenant-ID: {value}") == 400


def test_credentials_of_100_kb_cost_no_time(server: tuple[int, io.StringIO]) -> None:
    port, _ = server
    begun = monotonic()
    status = status_of(port, "Authorization: Bearer " + "a" * 50_000)

    assert status in {400, 401, 431}
    assert monotonic() - begun < 1


@pytest.mark.parametrize("method", ["WEBSOCKET", "(websocket)", "get", "BREW"])
def test_no_method_reaches_what_it_does_not_name(server: tuple[int, io.StringIO], method: str) -> None:
    port, _ = server

    assert status_of(port, method=method) in {400, 405}
