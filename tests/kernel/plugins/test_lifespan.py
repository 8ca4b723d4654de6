"""A plugin whose lifespan or health fails, while the others serve."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack
from typing import Any

import pytest

from vinc_kernel.errors import StartError
from vinc_kernel.plugins.open import open_plugins

from ...credentials import credentials
from .conftest import MEND, Workshop

HEAD = """
import asyncio, sys
from contextlib import asynccontextmanager
from fastapi import APIRouter
from vinc_kernel import App, Capability, Contribution, TenantDirectory, hooks, public
router = APIRouter(prefix="/NAME", dependencies=[public("a test asks")])
@router.get("")
async def answer() -> str:
    return "NAME"
PROVIDES = []
@hooks.contribute
def contribute() -> Contribution:
    return Contribution(routers=[router], provides=PROVIDES)  # made
"""
LIFESPAN = f"""{HEAD}
@hooks.lifespan  # def
@asynccontextmanager
async def life(app):
    BODY
    yield
"""
SLOW = "mend the plugin, or raise VINC_PLUGIN_LOAD_TIMEOUT"


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize(
    ("code", "line"),
    [
        (LIFESPAN.replace("BODY", "raise ValueError('no')  # here"), "ValueError: no ({# here}); " + MEND),
        (LIFESPAN.replace("BODY", "sys.exit(3)  # here"), "SystemExit: 3 ({# here}); " + MEND),
        (LIFESPAN.replace("BODY", "await asyncio.sleep(9)  # here"), "it takes longer than 0.3 s ({# here}); " + SLOW),
        (LIFESPAN.replace("BODY", "raise TimeoutError  # here"), "TimeoutError ({# here}); " + MEND),
        (
            LIFESPAN.replace("PROVIDES = []", "PROVIDES = [TenantDirectory]").replace("BODY", "pass"),
            (
                "it promises a TenantDirectory and offers none ({# made}); "
                "call app.provide(thing, TenantDirectory) in its lifespan"
            ),
        ),
    ],
)
async def test_a_lifespan_that_fails(workshop: Workshop, serving: Any, code: str, line: str, required: bool) -> None:
    workshop.plugin("good")
    workshop.plugin("bad", code, required=required)
    workshop.plugin("later")
    workshop.environ["VINC_PLUGIN_LOAD_TIMEOUT"] = "0.3"
    expected = workshop.line("bad", "bad: lifespan: " + line)
    app = workshop.app()
    if required:
        with pytest.raises(StartError) as caught:
            async with serving(app):
                pass
        assert str(caught.value).replace("builtins.", "") == expected
        return
    async with serving(app) as client:
        assert app.runtime.registry.states["bad"].why.replace("builtins.", "") == expected
        assert app.runtime.registry.states["bad"].phase == "lifespan"
        answer = await client.get("/bad")
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:vinc:problem:plugin-unavailable")
        assert (await client.get("/good")).json() == "good"
        assert (await client.get("/later")).json() == "later"


async def test_a_stranger_is_asked_to_sign_in_before_a_plugin_is_said_to_be_down(
    workshop: Workshop, serving: Any
) -> None:
    code = LIFESPAN.replace("BODY", "raise ValueError").replace('public("a test asks")', "signed_in")
    workshop.plugin("bad", code.replace("hooks, public", "hooks, signed_in"), required=False)
    async with serving(workshop.app()) as client:
        assert (await client.get("/bad")).status_code == 401
        assert (await client.get("/bad", headers=credentials("alice;viewer;"))).status_code == 503


async def test_what_a_plugin_offered_before_it_failed_is_taken_back(workshop: Workshop, serving: Any) -> None:
    code = (
        LIFESPAN.replace("BODY", "app.provide(3)\n    raise ValueError")
        + """
@hooks.lifespan
@asynccontextmanager
async def other(app):
    app.provide("text")
    try:
        yield
    finally:
        raise RuntimeError("closing fails as well")
"""
    )
    workshop.plugin("bad", code, required=False)
    app = workshop.app()
    async with serving(app):
        assert (app.runtime.registry.services, app.runtime.registry.providers) == ({}, {})


ENDS = LIFESPAN.replace("BODY", "pass") + "    BODY\n"
SERVE = """
import asyncio
from contextlib import AsyncExitStack
from vinc_kernel.main import app
from vinc_kernel.plugins.open import open_plugins
async def main():
    async with AsyncExitStack() as stack:
        await open_plugins(app.assembly, app.runtime, stack)
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("await asyncio.sleep(99)  # here", f"its end takes longer than 2 s ({{# here}}); {SLOW}"),
        ("raise ValueError('no')  # here", f"ValueError: no ({{# here}}); {MEND}"),
        ("sys.exit(3)  # here", f"SystemExit: 3 ({{# here}}); {MEND}"),
    ],
)
async def test_an_end_that_fails_is_told_and_all_others_come_to_theirs(
    workshop: Workshop, serving: Any, body: str, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    workshop.plugin("aaa", ENDS.replace("BODY", "raise ValueError('aaa as well')"))
    workshop.plugin("bad", ENDS.replace("BODY", body))
    workshop.plugin("last")
    workshop.environ["VINC_PLUGIN_LOAD_TIMEOUT"] = "2"
    app = workshop.app()
    with pytest.raises(StartError) as caught:
        async with serving(app):
            pass

    assert str(caught.value).replace("builtins.", "") == workshop.line("bad", "bad: lifespan: " + line)
    assert "aaa: lifespan: ValueError: aaa as well" in caplog.text


@pytest.mark.parametrize(
    "code",
    [
        ENDS.replace("BODY", "import time; time.sleep(99)"),
        ENDS.replace("BODY", "while True:\n        try: await asyncio.sleep(99)\n        except BaseException: pass"),
    ],
    ids=["blocks", "swallows"],
)
def test_an_end_that_nothing_can_cancel_ends_the_process(workshop: Workshop, code: str) -> None:
    workshop.plugin("bad", code)
    workshop.environ |= {"VINC_PLUGIN_LOAD_TIMEOUT": "2", "VINC_DOCS": "false"}
    command = [sys.executable, "-c", SERVE]
    ended = subprocess.run(
        command,
        env=workshop.process_environ,
        cwd=workshop.folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 1
    assert "bad: lifespan: its end takes longer than 2 s" in ended.stdout + ended.stderr


async def test_what_needs_a_plugin_that_did_not_open_does_not_open(workshop: Workshop, serving: Any) -> None:
    workshop.plugin("base", LIFESPAN.replace("BODY", "raise ValueError"), required=False)
    workshop.plugin(
        "top", LIFESPAN.replace("BODY", "app.provide(3)"), required=False, requires=["vinc-kernel", "tiny-base"]
    )
    app = workshop.app()
    async with serving(app) as client:
        assert (await client.get("/top")).status_code == 503
        assert app.runtime.registry.services == {}
        assert app.runtime.registry.states["top"].why.startswith("top: lifespan: it needs 'base', which is quarantined")


async def test_lifespans_open_in_order_and_close_in_reverse(workshop: Workshop, serving: Any) -> None:
    body = "seen = app._runtime.registry.services.setdefault(list, [])\n"
    body += "    seen.append('+NAME')\n    yield\n    seen.append('-NAME')\n    return"
    workshop.plugin("top", LIFESPAN.replace("BODY", body), requires=["vinc-kernel", "tiny-zero"])
    workshop.plugin("zero", LIFESPAN.replace("BODY", body))
    app = workshop.app()
    async with serving(app):
        assert app.runtime.registry.services[list] == ["+zero", "+top"]

    assert app.runtime.registry.services[list] == ["+zero", "+top", "-top", "-zero"]


async def test_an_application_that_is_started_again_begins_anew(workshop: Workshop, serving: Any) -> None:
    code = LIFESPAN.replace("BODY", "app.provide(3)\n    TRIES.append(1)\n    assert len(TRIES) != 1")
    code = "TRIES = []\n" + code
    workshop.plugin("shaky", code + "@hooks.health\nasync def up(app): ...\n", required=False)
    app = workshop.app()
    for state in ("quarantined", "ready", "ready"):
        async with serving(app):
            assert app.runtime.registry.states["shaky"].state == state
            assert len(app.runtime.registry.checks) == (state == "ready")
            assert list(app.runtime.registry.services.values()) == [3] * (state == "ready")
        assert (app.runtime.registry.services, app.runtime.registry.checks) == ({}, [])


async def test_two_plugins_that_provide_one_thing_are_told(workshop: Workshop) -> None:
    for name in ("one", "two"):
        workshop.plugin(name, LIFESPAN.replace("BODY", "app.provide(3)"))
    app = workshop.app()
    async with AsyncExitStack() as stack:
        with pytest.raises(StartError, match="two: lifespan: int is already provided by one") as told:
            await open_plugins(app.assembly, app.runtime, stack)

    assert told.value.cure == "enable one of the two: vinc plugins disable two, or one"


@pytest.mark.parametrize("body", ["raise ValueError", "sys.exit(1)", "await asyncio.sleep(9)"])
@pytest.mark.parametrize("required", [True, False])
async def test_a_health_hook_that_fails_is_down(workshop: Workshop, serving: Any, body: str, required: bool) -> None:
    workshop.list("health", "")
    workshop.plugin("bad", HEAD + f"@hooks.health\nasync def up(app):\n    {body}\n", required=required)
    async with serving(workshop.app()) as client:
        async with asyncio.timeout(8):
            answer = await client.get("/health/ready")

        assert answer.status_code == (503 if required else 200)
        assert [(one["name"], one["state"]) for one in answer.json()["checks"]] == [("bad", "down")]
        assert (await client.get("/bad")).json() == "bad"
