"""The `vinc` command and plugins that misbehave, each in a process of its own; and the commands of plugins."""

from __future__ import annotations

import json

import pytest

from vinc_kernel.commands import plugin

from .conftest import Workshop

BAD_TEXT = "class Bad(Exception):\n    def __str__(self):\n        raise SystemExit(5)\nraise Bad"
OPEN = """
from fastapi import APIRouter
from vinc_kernel import Contribution, Session, TenantDirectory, hooks, public
router = APIRouter(prefix="/open", dependencies=[public("a test asks")])
@router.get("")
async def answer(db: Session) -> str: ...
@hooks.contribute
def contribute() -> Contribution:
    return Contribution(routers=[router], provides=[TenantDirectory])
"""
UNSAFE = """
from collections.abc import Iterable
from vinc_kernel import Contribution, Settings, hooks
class UnsafeSettings(Settings):
    door: str = "open"
    def not_for_production(self) -> Iterable[str]:
        if self.door == "open":
            yield "VINC_UNSAFE__DOOR: is not for production: shut it"
@hooks.contribute
def contribute() -> Contribution:
    return Contribution(settings=UnsafeSettings)
"""
COMMANDS = """
from datetime import date
from typing import Annotated
from annotated_doc import Doc
from vinc_kernel import App, CommandGroup, Contribution, hooks
def hello(days: int = 7, loud: bool = False, name: str | None = None) -> None:
    '''Say hello, 100 % of the time.'''
    print(days, loud, name)
async def wait(what: str, until: date = date(2026, 1, 31)) -> int:
    print(what, until.isoformat())
    return 3
def loop() -> None:
    import asyncio
    asyncio.run(wait("in a loop of its own"))
def flag(on: bool, function: str) -> None:
    print(on, function)
def opened(app: App, count: int = 1) -> None:
    print(type(app).__name__, count)
def greet(name: str = "nobody", /, *, days: int = 7) -> None:
    print(name, days)
def needs(*, email: str, secret: str | bool = False) -> None:
    print(email, secret)
def add(name: str) -> None:
    '''Add a robot.'''
    print("added", name)
def told(
    app: App,
    where: Annotated[str, Doc("a place, 100 % sure")],
    /,
    *,
    email: Annotated[str, Doc("whose it is")],
    days: Annotated[int, Doc("how many days")] = 7,
    until: Annotated[date | None, Doc("the last day")] = None,
    loud: Annotated[bool, Doc("shout")] = False,
    secret: Annotated[str | bool, Doc("a secret, or one that is made")] = False,
) -> None: ...
@hooks.contribute
def contribute() -> Contribution:
    robot = CommandGroup("robot", [add, hello])
    return Contribution(commands=[hello, wait, loop, flag, opened, greet, needs, told, robot])
"""


def test_listing_plugins_imports_none(workshop: Workshop) -> None:
    witness = "from pathlib import Path\nPath(__file__).with_name('imported').touch()\nimport os; os._exit(7)"
    workshop.plugin("bad", witness)
    done = workshop.vinc("plugins", "--json")

    assert (done.returncode, done.stderr) == (0, "")
    assert [one["name"] for one in json.loads(done.stdout) if one["enabled"]] == ["bad"]
    assert not list(workshop.folder.glob("*/imported"))


def test_the_table_tells_why_a_plugin_does_not_run(workshop: Workshop) -> None:
    workshop.plugin("good")
    workshop.plugin("off", toml="enabled = false")
    workshop.plugin("old", required=False, requires=["vinc-kernel>=9"])
    workshop.plugin("silent")
    workshop.write(workshop.manifest.read_text().replace("[plugins.silent]\nrequired = true", ""))
    rows = {one["name"]: one for one in json.loads(workshop.vinc("plugins", "--json").stdout)}

    assert rows["good"] == {
        "name": "good",
        "version": "1.0",
        "distribution": "tiny-good",
        "enabled": True,
        "required": True,
        "why": "",
    }
    assert rows["off"]["why"] == f"enabled = false in {workshop.manifest}"
    assert rows["silent"]["why"] == f"not listed in {workshop.manifest}"
    assert rows["old"]["why"].startswith("old: find: it needs vinc-kernel>=9, and 0.1.0 is installed")


def test_check_warns_of_a_public_route_that_needs_a_tenant(workshop: Workshop) -> None:
    workshop.plugin("good")
    workshop.plugin("open", OPEN)
    done = workshop.vinc("check")
    (warning,) = [line for line in done.stdout.splitlines() if line.startswith("warning: ")]

    assert done.returncode == 0
    assert warning.startswith("warning: open: check: the route /api/v1/open is public and needs a tenant")


def test_check_tells_what_production_forbids(workshop: Workshop) -> None:
    workshop.plugin("unsafe", UNSAFE)
    elsewhere = workshop.vinc("check")
    workshop.environ |= {"VINC_ENV": "prod", "VINC_SECRET_KEY": "k" * 40, "VINC_JWT_TEST_SECRET": ""}
    refused = workshop.vinc("check")
    workshop.environ["VINC_UNSAFE__DOOR"] = "shut"
    mended = workshop.vinc("check")

    assert [done.returncode for done in (elsewhere, refused, mended)] == [0, 1, 0]
    assert refused.stderr.startswith("vinc: unsafe: settings: VINC_UNSAFE__DOOR: is not for production: shut it (")


def test_check_tells_whose_a_name_is_that_nobody_reads(workshop: Workshop) -> None:
    workshop.plugin("good")
    workshop.plugin("idle", toml="enabled = false")
    workshop.environ |= {"VINC_IDLE__DOOR": "shut", "VINC_IDLE_DOOR": "shut", "VINC_LOG_LEVELL": "info"}
    warnings = [line for line in workshop.vinc("check").stdout.splitlines() if line.startswith("warning: ")]

    assert warnings == [
        "warning: VINC_IDLE_DOOR is not read: the plugin idle is not enabled",
        "warning: VINC_IDLE__DOOR is not read: the plugin idle is not enabled",
        "warning: VINC_LOG_LEVELL is not a setting; did you mean VINC_LOG_LEVEL?",
    ]


def test_loaded_tells_what_stops_the_start(workshop: Workshop) -> None:
    workshop.plugin("bad", "raise ValueError")
    done = workshop.vinc("plugins", "--loaded", "--json")

    assert done.returncode == 0
    assert json.loads(done.stdout)[0]["state"] == "failed"
    assert json.loads(done.stdout)[0]["why"].startswith("bad: import: ValueError")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["hello"], 0, "7 False None\n"),
        (["hello", "--days", "3", "--loud", "--name", "Ada"], 0, "3 True Ada\n"),
        (["hello", "--no-loud"], 0, "7 False None\n"),
        (["wait", "for it"], 3, "for it 2026-01-31\n"),
        (["wait", "it", "--until", "2026-02-03"], 3, "it 2026-02-03\n"),
        (["loop"], 0, "in a loop of its own 2026-01-31\n"),
        (["flag", "false", "x"], 0, "False x\n"),
        (["flag", "true", "x"], 0, "True x\n"),
        (["greet"], 0, "nobody 7\n"),
        (["greet", "Ada", "--days", "3"], 0, "Ada 3\n"),
        (["needs", "--email", "a@b"], 0, "a@b False\n"),
        (["needs", "--secret", "--email", "a@b"], 0, "a@b True\n"),
        (["needs", "--secret", "x", "--email", "a@b"], 0, "a@b x\n"),
        (["robot", "add", "r2"], 0, "added r2\n"),
        (["robot", "hello", "--days", "1"], 0, "1 False None\n"),
    ],
)
def test_a_command_of_a_plugin_runs_by_its_signature(
    workshop: Workshop, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    workshop.plugin("mine", COMMANDS)

    assert plugin.run(["mine", *arguments], workshop.settings, workshop.sources) == code
    assert capsys.readouterr() == (said, "")


@pytest.mark.parametrize(
    "arguments",
    [["hello", "--days", "many"], ["nothing"], [], ["flag", "maybe", "x"], ["needs"], ["robot"], ["robot", "go"]],
)
def test_a_command_that_is_used_wrongly_is_a_usage_error(
    workshop: Workshop, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    workshop.plugin("mine", COMMANDS)
    with pytest.raises(SystemExit) as caught:
        plugin.run(["mine", *arguments], workshop.settings, workshop.sources)

    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: vinc mine")


def test_the_help_is_what_docstrings_and_annotations_say(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    workshop.plugin("mine", COMMANDS)
    shown = []
    for command in (["told"], ["hello"], [], ["robot"]):
        with pytest.raises(SystemExit):
            plugin.run(["mine", *command, "--help"], workshop.settings, workshop.sources)
        shown.append(" ".join(capsys.readouterr().out.split()))
    told, hello, mine, robot = shown

    for line in (
        "where a place, 100 % sure",
        "--email EMAIL whose it is",
        "--days DAYS how many days (default: 7)",
        "--until UNTIL the last day",
        "--loud, --no-loud shout",
        "--secret [VALUE] a secret, or one that is made",
    ):
        assert line in told
    assert "--days DAYS default: 7" in hello
    assert "None" not in told + hello
    assert "Say hello, 100 % of the time." in mine
    assert "Add a robot." in robot


def test_a_command_of_a_plugin_that_does_not_run_is_refused(workshop: Workshop) -> None:
    workshop.plugin("off", COMMANDS, toml="enabled = false")
    workshop.plugin("bad", "raise ValueError", required=False)
    off, bad = workshop.vinc("off", "hello"), workshop.vinc("bad", "hello")

    assert (off.returncode, off.stderr.splitlines()[-1]) == (1, "vinc: off is not enabled: vinc plugins enable off")
    assert (bad.returncode, bad.stderr.splitlines()[-1].partition(" (")[0]) == (1, "vinc: bad: import: ValueError")


@pytest.mark.parametrize("body", ["return 1 / 0  # here", "await asyncio.sleep(0)\n    return 1 / 0  # here"])
def test_a_command_that_raises_is_one_line_and_a_traceback_for_who_wants_it(workshop: Workshop, body: str) -> None:
    code = "import asyncio\nfrom vinc_kernel import Contribution, hooks\nasync def run():\n    BODY\n"
    code += "@hooks.contribute\ndef contribute(): return Contribution(commands=[run])\n"
    workshop.plugin("odd", code.replace("BODY", body))
    raised = workshop.vinc("odd", "run")

    what = f"vinc: ZeroDivisionError: division by zero ({workshop.here('odd')})"
    assert (raised.returncode, raised.stderr) == (1, f"{what}; VINC_DEBUG=1 shows the whole traceback\n")
    workshop.environ["VINC_DEBUG"] = "1"
    assert "Traceback (most recent call last)" in workshop.vinc("odd", "run").stderr


def test_check_survives_a_text_that_ends_the_process(workshop: Workshop) -> None:
    workshop.plugin("bad", BAD_TEXT, required=False)
    done = workshop.vinc("check")

    assert done.returncode == 3
    assert done.stdout.startswith("quarantined: bad: import: Bad: its text cannot be had, for SystemExit (")


@pytest.mark.parametrize("arguments", [["check"], ["plugins", "--loaded"]])
def test_a_thread_that_a_plugin_left_does_not_keep_a_command(workshop: Workshop, arguments: list[str]) -> None:
    workshop.plugin("busy", "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()")
    done = workshop.vinc(*arguments, script=True, seconds=20)

    assert (done.returncode, done.stderr) == (0, "")
