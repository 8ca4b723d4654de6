"""Swagger UI in a real browser: it shows every route, and asks nobody but us."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
import uvicorn
from fastapi import APIRouter

from vinc_kernel import Contribution, public

from .conftest import AppOf

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)
QUIET = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --virtual-time-budget=10000 --dump-dom""".split()


@pytest.fixture
def address(app_of: AppOf) -> Iterator[str]:
    router = APIRouter(prefix="/things", dependencies=[public("a test")])

    @router.get("/of-beauty")
    async def of_beauty() -> str:
        return "joy"

    server = uvicorn.Server(
        uvicorn.Config(
            app_of(things=Contribution(routers=[router])), port=0, lifespan="off", log_config=None, access_log=False
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = monotonic() + 10
    while not server.started and monotonic() < deadline:
        sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.mark.skipif(BROWSER is None, reason="not run: there is no chromium here")
def test_the_page_shows_every_route_without_one_foreign_request(address: str, tmp_path: Path) -> None:
    log = tmp_path / "net.json"
    rules = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    command = [str(BROWSER), *QUIET, rules, f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={log}"]
    shown = subprocess.run([*command, f"{address}/docs"], capture_output=True, text=True, timeout=60, check=True)

    assert 'data-path="/api/v1/things/of-beauty"' in shown.stdout
    asked = [event["params"] for event in json.loads(log.read_text())["events"] if "url" in event.get("params", {})]
    by_us = {params["url"] for params in asked if params.get("initiator") == address}
    assert by_us
    assert {url for url in by_us if not url.startswith((address, "data:"))} == set()
