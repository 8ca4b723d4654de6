"""Sessions end and principals are disabled on every worker within a second, and a login right after works.

With Redis and without, with Redis killed, emptied or silent meanwhile, within one process, where lines can be cut; and
without Redis with two processes of `vinc serve`. The development issuer signs people in.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlencode

import pytest
from httpx import AsyncClient
from redis.asyncio import Redis

from vinc_identity.contracts import IdentityProvider, Profile
from vinc_kernel.app import Application
from vinc_testing import Database, Servers
from vinc_testing.clients import client_of
from vinc_testing.running import make_application, pointing_at, started

from ..pages import ROOT
from .proxy import Proxy, proxy_to_socket
from .serving import free_port, serving
from .test_two_workers import Connection, callers_of_both

SECONDS_TO_FORGET = 2.0  # twice what is promised: the machine that runs this may be busy
SECONDS_TO_GIVE_UP = 10
PASSWORD = "correct horse battery"
VINC = str(Path(sys.executable).with_name("vinc"))
DEMO_PASSWORD = "vinc-demo-password"
ALICE, BOSS = "alice@acme.example", "boss@vinc.example"
PEOPLE = (Profile(email=ALICE, role="viewer", tenants=["acme"]), Profile(email=BOSS, role="super_admin"))


@dataclass
class Bus:
    """Redis, on a line that a test can cut; `url` is empty where there is none."""

    url: str
    line: Proxy
    direct: str

    async def kill(self) -> None:
        self.line.refuse = True
        self.line.cut()

    async def silence(self) -> None:
        self.line.silent = True

    async def empty(self) -> None:
        async with Redis.from_url(self.direct) as client:
            await client.flushdb()

    async def leave(self) -> None:
        """Nothing happens to it."""


# What there is, and what happens to it once both workers know the person.
WAYS: Mapping[str, tuple[bool, Callable[[Bus], Awaitable[None]]]] = {
    "with Redis": (True, Bus.leave),
    "without Redis": (False, Bus.leave),
    "Redis killed": (True, Bus.kill),
    "Redis emptied": (True, Bus.empty),
    "Redis silent": (True, Bus.silence),
}


@pytest.fixture(params=WAYS)
async def bus(
    request: pytest.FixtureRequest, vinc_servers: Servers, settings: Mapping[str, str]
) -> AsyncGenerator[Bus]:
    path, _, number = settings["VINC_REDIS_URL"].removeprefix("unix://").partition("?db=")
    async with proxy_to_socket(path) as line:
        there, _ = WAYS[request.param]
        yield Bus(f"redis://127.0.0.1:{line.port}/{number}" if there else "", line, settings["VINC_REDIS_URL"])


@pytest.fixture
def settings(vinc_servers: Servers, vinc_database: Database, vinc_worker: str) -> Mapping[str, str]:
    """An installation with this repository's own plugins.toml."""
    vinc_database.add_tenant("acme")
    pointing = pointing_at(vinc_servers, vinc_database.name, vinc_worker)
    return {**pointing, "VINC_PLUGINS_FILE": str(ROOT / "plugins.toml")}


@dataclass(frozen=True)
class Two:
    """Clients of two workers."""

    first: AsyncClient
    second: AsyncClient

    async def sign_in(self, email: str) -> dict[str, str]:
        """The header with a token that is made at the first worker."""
        form = {"grant_type": "password", "username": email, "password": PASSWORD}
        answer = await self.first.post("/devissuer/token", data=form)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def statuses(self, headers: Mapping[str, str]) -> list[int]:
        return [(await one.get("/identity/me", headers=headers)).status_code for one in (self.first, self.second)]

    async def seconds_until(self, status: int, headers: Mapping[str, str]) -> float:
        """How long it takes until both answer so."""
        began = monotonic()
        while await self.statuses(headers) != [status, status]:
            assert monotonic() - began < SECONDS_TO_GIVE_UP, f"not every worker answers {status}"
            await asyncio.sleep(0.005)
        return monotonic() - began


@pytest.fixture
async def two(settings: Mapping[str, str], bus: Bus) -> AsyncGenerator[Two]:
    environ = {**settings, "VINC_REDIS_URL": bus.url, "VINC_REDIS_SOCKET_TIMEOUT": "0.4"}
    async with AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(started(make_application(environ, {}))) for _ in range(2)]
        await add_people(apps[0])
        first, second = [await stack.enter_async_context(client_of(one, "/api/v1", {})) for one in apps]
        yield Two(first, second)


async def add_people(app: Application) -> None:
    provider: IdentityProvider = app.runtime.registry.find(IdentityProvider)
    for profile in PEOPLE:
        made = await provider.create(profile)
        await provider.set_password(made.subject, PASSWORD)


async def test_old_tokens_are_refused_by_both_workers_within_a_second_and_a_login_right_after_works(
    two: Two, bus: Bus, request: pytest.FixtureRequest
) -> None:
    way = request.node.callspec.params["bus"]
    alice, boss = await two.sign_in(ALICE), await two.sign_in(BOSS)
    await two.seconds_until(200, alice)
    assert await two.statuses(boss) == [200, 200]
    principal = (await two.first.get("/identity/me", headers=alice)).json()["id"]
    await WAYS[way][1](bus)
    took = {}

    async def change(verb: str) -> dict[str, Any]:
        answer = await two.first.post(f"/identity/principals/{principal}/{verb}", headers=boss)
        assert answer.status_code == 200, answer.text
        changed: dict[str, Any] = answer.json()
        return changed

    assert (await change("end-sessions"))["provider"] == "confirmed"
    took["ended"] = await two.seconds_until(401, alice)
    await change("end-sessions")
    again = await two.sign_in(ALICE)
    right_after = await two.statuses(again)
    assert (await change("disable"))["disabled"]
    took["disabled"] = await two.seconds_until(401, again)
    assert not (await change("enable"))["disabled"]
    back = await two.sign_in(ALICE)
    took["enabled"] = await two.seconds_until(200, back)

    assert right_after == [200, 200]
    assert [await two.statuses(one) for one in (alice, again, back)] == [[401, 401], [401, 401], [200, 200]]
    assert max(took.values()) < SECONDS_TO_FORGET, took


@pytest.mark.parametrize("bus", ["with Redis"], indirect=True)
async def test_a_disabled_person_stays_out_when_redis_comes_back_empty(two: Two, bus: Bus) -> None:
    """Threats T10: PostgreSQL decides; Redis only tells sooner."""
    alice, boss = await two.sign_in(ALICE), await two.sign_in(BOSS)
    await two.seconds_until(200, alice)
    principal = (await two.first.get("/identity/me", headers=alice)).json()["id"]
    await bus.kill()
    await two.first.post(f"/identity/principals/{principal}/disable", headers=boss)
    await two.seconds_until(401, alice)
    await bus.empty()
    bus.line.refuse = False

    for _ in range(20):
        assert await two.statuses(alice) == [401, 401]
        await asyncio.sleep(0.05)


class Line(Connection):
    def ask(self, method: str, path: str, token: str = "", form: Mapping[str, str] | None = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.line.request(method, f"/api/v1{path}", urlencode(form) if form else None, headers)
        answer = self.line.getresponse()
        return answer.status, json.loads(answer.read())

    def sign_in(self, email: str) -> str:
        status, answer = self.ask(
            "POST", "/devissuer/token", form={"grant_type": "password", "username": email, "password": DEMO_PASSWORD}
        )
        assert status == 200, answer
        token: str = answer["access_token"]
        return token


def seconds_until(lines: list[Line], status: int, token: str) -> float:
    began = monotonic()
    while {one.ask("GET", "/identity/me", token)[0] for one in lines} != {status}:
        assert monotonic() - began < SECONDS_TO_GIVE_UP, f"not every worker answers {status}"
        sleep(0.005)
    return monotonic() - began


def test_two_processes_and_a_command_beside_them(settings: Mapping[str, str], tmp_path: Path) -> None:
    """Without Redis: the slower way is within a second too."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VINC_")}
    environ = {**kept, **settings, "VINC_REDIS_URL": ""}
    port = free_port()

    def vinc(*words: str, meanwhile: Callable[[], object] = lambda: None) -> str:
        output = tmp_path / "said"
        with output.open("wb") as written:
            child = subprocess.Popen([VINC, *words], cwd=tmp_path, env=environ, stdout=written, stderr=written)
        while child.poll() is None:
            meanwhile()
            sleep(0.05)
        assert child.returncode == 0, output.read_text()
        return output.read_text()

    vinc("devissuer", "demo")
    took = {}
    command = [VINC, "serve", "--workers", "2", "--port", str(port)]
    with serving(command, port, cwd=tmp_path, environ=environ), callers_of_both(port, 2, Line) as callers:
        lines = list({one.worker: one for one in callers}.values())
        here, there = lines

        def stay() -> None:
            """Ask now and then: a line on which nothing comes for five seconds is closed by the server."""
            assert [one.ask("GET", "/health/live")[0] for one in lines] == [200, 200]

        boss, viewer = here.sign_in("super@vinc.example"), there.sign_in("viewer@acme.example")
        seconds_until(lines, 200, viewer)
        principal = here.ask("GET", "/identity/me", viewer)[1]["id"]
        assert here.ask("POST", f"/identity/principals/{principal}/end-sessions", boss)[0] == 200
        took["ended"] = seconds_until(lines, 401, viewer)
        again = here.sign_in("viewer@acme.example")
        assert [one.ask("GET", "/identity/me", again)[0] for one in lines] == [200, 200]
        assert there.ask("POST", "/identity/sessions/end", again) == (200, {"provider": "confirmed"})
        took["ended by oneself"] = seconds_until(lines, 401, again)
        once_more = there.sign_in("viewer@acme.example")
        seconds_until(lines, 200, once_more)
        printed = vinc("identity", "disable", "viewer@acme.example", meanwhile=stay)
        took["disabled by a command"] = seconds_until(lines, 401, once_more)
        vinc("identity", "enable", principal, meanwhile=stay)
        took["enabled by a command"] = seconds_until(lines, 200, here.sign_in("viewer@acme.example"))

    assert f"{principal} is disabled" in printed
    assert max(took.values()) < SECONDS_TO_FORGET
