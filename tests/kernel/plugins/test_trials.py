"""Optional plugins are tried in a child process: one that fails there is never in the serving process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import configure_mappers

from vinc_kernel import VincError
from vinc_kernel.database.base import Base
from vinc_kernel.plugins.arrange import enabled
from vinc_kernel.plugins.trials import dump_failures, load_failures, select_plugins

from .conftest import Workshop

MEND = "mend the plugin, or disable it with: vinc plugins disable "
GUARD = "add a guard: require_capabilities(), require_roles(), signed_in, or public(why)"
HOOKED = "from vinc_kernel import Contribution, Event, hooks\n@hooks.contribute\ndef contribute():\n    "
FORKS = """
import os, time
if os.fork() == 0:
    time.sleep(99)
os._exit(3)
"""
WRITES = """
import os, time
for number in range(3, 10):
    try:
        os.write(number, b"not JSON\\n")
    except OSError:
        pass
time.sleep(99)
"""
LOOP = "import time\nwhile True: time.time()  # here"
MODELS = """
from sqlalchemy.orm import Mapped, mapped_column, relationship
from vinc_kernel import Base, Contribution, hooks
class Thing_NAME(Base):
    __tablename__ = "NAME_thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    other: Mapped["Missing"] = relationship(lambda: 1 / 0)  # here
@hooks.contribute
def contribute():
    return Contribution(models=[Thing_NAME])
"""
PATCHES = """
import logging, os, sys, types
os.environ["PATCHED"] = "yes"
sys.modules["patched"] = types.ModuleType("patched")
sys.path.insert(0, "elsewhere")
logging.root.setLevel(logging.DEBUG)
raise ValueError  # here
"""
UNGUARDED = """
from fastapi import APIRouter
from vinc_kernel import Contribution, hooks
router = APIRouter(prefix="/NAME")
@router.get("")  # here
async def answer(): ...
@hooks.contribute
def contribute():
    return Contribution(routers=[router])
"""
LISTENS = """
class Happened(Event): ...
@hooks.on(Happened)
async def hear(events, context): ...
"""
NOTES_PROCESS = """
import os
from pathlib import Path
with Path(__file__).with_name("processes").open("a") as processes:
    print(os.getpid(), file=processes)
"""
REVISION = "revision = 'a1'\ndown_revision = 'nothing'\n"
UNREACHED = "revision a1 is not reached from the first"


def processes(workshop: Workshop, name: str) -> list[str]:
    """The processes that have imported a plugin which notes them, in order."""
    return (workshop.modules[name] / "processes").read_text().split()


async def test_a_plugin_that_fails_in_any_phase_is_quarantined_and_was_never_here(
    workshop: Workshop, serving: Any
) -> None:
    workshop.plugin("good")
    workshop.plugin("imports", PATCHES, required=False)
    workshop.plugin("contributes", HOOKED + "raise KeyError  # here" + LISTENS, required=False)
    workshop.plugin("sets", HOOKED + "return Contribution()", required=False, toml="key = 1")
    workshop.plugin("revises", HOOKED + "return Contribution()", required=False)
    workshop.plugin("opens", UNGUARDED, required=False)
    workshop.plugin("maps", MODELS, required=False)
    versions = workshop.modules["revises"] / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions / "a1.py").write_text(REVISION)
    environ, path = dict(os.environ), sys.path[:]
    app = workshop.app()
    states = app.runtime.registry.states

    assert {name: state.why for name, state in states.items() if not state.is_ready} == {
        name: workshop.line(name, f"{name}: {line}")
        for name, line in {
            "imports": f"import: ValueError ({{here}}); {MEND}imports",
            "contributes": f"contribute: KeyError ({{here}}); {MEND}contributes",
            "sets": "settings: it has no settings, and {toml} sets key ({toml}); take them out",
            "revises": f"histories: {UNREACHED} ({versions}); correct its down_revision",
            "opens": f"check: the route /opens does not declare what it needs ({{here}}); {GUARD}",
            "maps": f"check: ZeroDivisionError: division by zero ({{here}}); {MEND}maps",
        }.items()
    }
    assert states["contributes"].listens == (f"{workshop.package('contributes')}.plugin.Happened",)
    assert [states[name].hooks for name in ("imports", "sets", "contributes")] == [
        None,
        ("contribute",),
        ("contribute", "on"),
    ]
    assert (dict(os.environ), sys.path) == (environ, path)
    assert [name for name in sys.modules if name.startswith("tiny_") or name == "patched"] == [
        workshop.package("good"),
        f"{workshop.package('good')}.plugin",
    ]
    assert "maps_thing" not in Base.metadata.tables
    configure_mappers()
    async with serving(app) as client:
        assert (await client.get("/good")).json() == "good"
        assert (await client.get("/imports")).status_code == 404


def test_a_plugin_that_ends_its_process_or_hangs_is_quarantined(workshop: Workshop) -> None:
    workshop.plugin("good", required=False)
    workshop.plugin("exits", "import os; os._exit(7)", required=False)
    workshop.plugin("killed", "import os; os.kill(os.getpid(), 9)", required=False)
    workshop.plugin("forks", FORKS, required=False)
    workshop.plugin("writes", WRITES, required=False)
    workshop.plugin("holds", "import re; re.match('(a+)+$', 'a' * 64 + 'b')", required=False)
    workshop.plugin("loops", LOOP, required=False)
    workshop.plugin("sleeps", "import time; time.sleep(99)  # here", required=False)
    workshop.environ["VINC_PLUGIN_LOAD_TIMEOUT"] = "1"
    slow = "it takes longer than 1 s ({here}); move the work into a lifespan hook, or raise VINC_PLUGIN_LOAD_TIMEOUT"
    died = "it ended the process that loaded it, "
    done = workshop.vinc("check", seconds=120)
    *lines, last = done.stdout.splitlines()

    assert (done.returncode, done.stderr) == (3, "")
    assert lines == [
        f"quarantined: {name}: import: {workshop.line(name, line)}"
        for name, line in {
            "exits": f"{died}with exit code 7 ({{toml}}); {MEND}exits",
            "forks": f"{died}with exit code 3 ({{toml}}); {MEND}forks",
            "holds": slow.replace("{here}", "{toml}"),  # not even its own process can tell where it is
            "killed": f"{died}by SIGKILL ({{toml}}); {MEND}killed",
            "loops": slow,
            "sleeps": slow,
            "writes": f"{died}by SIGKILL ({{toml}}); {MEND}writes",
        }.items()
    ]
    assert last.startswith("1 of 8 plugins are ready")


def test_a_required_plugin_that_ends_its_process_in_a_trial_stops_the_start(workshop: Workshop) -> None:
    workshop.plugin("dies", "import os; os._exit(7)")
    workshop.plugin("good", required=False)

    assert workshop.errors() == [
        workshop.line(
            "dies", f"dies: import: it ended the process that loaded it, with exit code 7 ({{toml}}); {MEND}dies"
        )
    ]


def test_all_required_plugins_that_fail_are_told_whatever_optional_ones_do(workshop: Workshop) -> None:
    workshop.plugin("aaa", "raise ValueError", required=False)
    workshop.plugin("old", requires=["vinc-kernel>=9"])
    workshop.plugin("one", "raise ValueError")
    workshop.plugin("two", "raise KeyError")

    assert [line.split(":")[0] for line in workshop.errors()] == ["old", "one", "two"]


def test_a_plugin_that_raises_an_error_of_ours_in_anothers_name_is_quarantined_itself(workshop: Workshop) -> None:
    error = "StartError('no', plugin='good', phase='import', where='here', cure=3)"
    workshop.plugin("bad", f"from vinc_kernel import StartError\nraise {error}", required=False)
    workshop.plugin("good")
    states = workshop.states()

    assert (states["good"].is_ready, states["bad"].why) == (True, "good: import: no (here); 3")


def test_what_a_plugin_prints_disturbs_no_report(workshop: Workshop) -> None:
    prints = """print('["good", "import"]')\nimport os\nos.write(1, b'{"failures": []}\\n')\n"""
    workshop.plugin("good", required=False)
    workshop.plugin("prints", f"{prints}raise ValueError", required=False)
    rows = {one["name"]: one for one in json.loads(workshop.vinc("plugins", "--loaded", "--json").stdout)}

    assert (rows["good"]["state"], rows["good"]["routes"]) == ("ready", ["GET /api/v1/good"])
    assert (rows["prints"]["state"], rows["prints"]["why"].split(" (")[0]) == (
        "quarantined",
        "prints: import: ValueError",
    )


def test_a_plugin_that_came_through_and_fails_then_stops_the_start(workshop: Workshop) -> None:
    workshop.plugin("shaky", f"{NOTES_PROCESS}assert os.getppid() == {os.getpid()}  # here", required=False)
    (line,) = workshop.errors()

    assert line == workshop.line("shaky", f"shaky: import: AssertionError ({{here}}); {MEND}shaky")
    assert len(processes(workshop, "shaky")) == 2


def test_no_process_is_started_where_all_plugins_are_required(workshop: Workshop) -> None:
    workshop.plugin("good", NOTES_PROCESS)
    workshop.plugin("old", required=False, requires=["vinc-kernel>=9"])
    workshop.app()

    assert processes(workshop, "good") == [str(os.getpid())]


def test_what_one_process_has_found_another_takes_over(workshop: Workshop, tmp_path: Path) -> None:
    workshop.plugin("bad", HOOKED + "raise KeyError" + LISTENS, required=False)
    workshop.plugin("top", required=False, requires=["vinc-kernel", "tiny-bad"])
    workshop.plugin("old", required=False, requires=["vinc-kernel>=9"])
    tried = select_plugins(workshop.settings, workshop.sources)
    file = tmp_path / "failures.json"
    file.write_text(dump_failures(tried))
    taken = load_failures(str(file), workshop.settings)

    assert [(one.name, str(one.fault), one.listens, one.hooks) for one in taken] == [
        (one.name, str(one.fault), one.listens, one.hooks) for one in tried
    ]
    assert [one.name for one in enabled(workshop.settings) if one.fault] == ["old"]


@pytest.mark.parametrize("text", [None, "", "not JSON", "{}", '[{"plugin": "bad"}]'])
def test_a_file_that_holds_no_failures_is_refused(workshop: Workshop, tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "failures.json"
    if text is not None:
        file.write_text(text)

    with pytest.raises(VincError, match=r"FAILED_VINC_PLUGINS: .* unset it"):
        load_failures(str(file), workshop.settings)


def test_the_ctrl_c_of_the_user_ends_the_start_and_the_trial(workshop: Workshop) -> None:
    workshop.plugin("slow", f"{NOTES_PROCESS}import time; time.sleep(99)", required=False)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background of a shell ignores it
    with subprocess.Popen(
        [sys.executable, "-m", "vinc_kernel.cli", "check"],
        env=workshop.process_environ,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as command:
        noted = workshop.modules["slow"] / "processes"
        while not noted.exists() or not noted.read_text().endswith("\n"):
            time.sleep(0.05)
        os.killpg(command.pid, signal.SIGINT)
        errors = command.communicate(timeout=20)[1]

    assert (command.returncode, errors) == (130, b"")
    assert not Path(f"/proc/{processes(workshop, 'slow')[0]}").exists()
