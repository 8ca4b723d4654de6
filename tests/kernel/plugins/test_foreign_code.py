"""What a plugin's code does beside raising: texts that misbehave, threads, and changes of the whole process."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.kernel.plugins.conftest import Workshop

Judge = Callable[..., Awaitable[None]]
MEND = "mend the plugin, or disable it with: vinc plugins disable bad"
SLOW = "move the work into a lifespan hook, or raise VINC_PLUGIN_LOAD_TIMEOUT"
QUICK = {"VINC_PLUGIN_LOAD_TIMEOUT": "0.5"}
TEXT = "class Bad(Exception):\n    def __str__(self):\n        BODY\nraise Bad  # here"
LOADS = {
    "import": "BODY",
    "contribute": "from vinc_kernel import hooks\n@hooks.contribute\ndef contribute():\n    raised()\ndef raised():\n"
    "    exec(BODY)",
}


async def test_a_module_whose_names_never_end_is_given_up(judge: Judge) -> None:
    code = "def __dir__():\n    while True: pass  # here"
    await judge(f"bad: import: it takes longer than 0.5 s ({{here}}); {SLOW}", code, environ=QUICK)


async def test_an_error_whose_text_ends_the_process_is_one_line(judge: Judge) -> None:
    line = f"bad: import: Bad: its text cannot be had, for SystemExit ({{here}}); {MEND}"
    await judge(line, TEXT.replace("BODY", "raise SystemExit(5)"))


async def test_an_error_whose_text_never_ends_is_given_up(judge: Judge) -> None:
    code = "class Bad(Exception):\n    def __str__(self):\n        while True: pass  # here\nraise Bad"
    await judge(f"bad: import: it takes longer than 0.5 s ({{here}}); {SLOW}", code, environ=QUICK)


async def test_a_long_text_is_cut(judge: Judge) -> None:
    line = f"bad: import: Bad: {'x' * 497}... ({{here}}); {MEND}"
    await judge(line, TEXT.replace("BODY", "return 'x' * 10**6"))


async def test_control_characters_of_a_text_are_escaped(judge: Judge) -> None:
    line = f"bad: import: Bad: a\\x1b[31m\\x00 b \\udcff c ({{here}}); {MEND}"
    await judge(line, TEXT.replace("BODY", r"return 'a\x1b[31m\x00\nb \udcff\u2028c'"))


def test_check_survives_a_text_that_ends_the_process(workshop: Workshop) -> None:
    workshop.plugin("bad", TEXT.replace("BODY", "raise SystemExit(5)"), required=False)
    done = workshop.vinc("check")

    assert done.returncode == 3
    assert done.stdout.startswith("quarantined: bad: import: Bad: its text cannot be had, for SystemExit (")


@pytest.mark.parametrize("arguments", [["check"], ["plugins", "--loaded"]])
def test_a_thread_that_a_plugin_left_does_not_keep_a_command(workshop: Workshop, arguments: list[str]) -> None:
    workshop.plugin("busy", "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()")
    done = workshop.vinc(*arguments, script=True, seconds=20)

    assert (done.returncode, done.stderr) == (0, "")


def process() -> list[object]:
    """What all of a process share, beside modules and tables."""
    loggers = [logging.getLogger(name) for name in ("vinc", "vinc.plugins", "asyncio")]
    return [
        dict(os.environ),
        list(sys.path),
        list(warnings.filters),
        sys.getrecursionlimit(),
        logging.root.manager.disable,
        [(one.level, one.disabled, one.propagate, list(one.handlers), list(one.filters)) for one in loggers],
    ]


@pytest.mark.parametrize(
    "change",
    [
        "logging.getLogger('vinc').addHandler(logging.NullHandler())",
        "logging.getLogger('vinc').setLevel(55)",
        "logging.getLogger('vinc.plugins').propagate = False",
        "logging.getLogger('asyncio').disabled = True",
        "logging.getLogger('asyncio').addFilter(lambda record: False)",
        "logging.disable(logging.CRITICAL)",
        "os.environ['VINC_TINY'] = 'set'",
        "os.environ['PATH'] = 'changed'",
        "del os.environ['PATH']",
        "sys.path.insert(0, 'elsewhere')",
        "sys.path.clear()",
        "warnings.simplefilter('error')",
        "warnings.resetwarnings()",
        "sys.setrecursionlimit(7777)",
    ],
)
@pytest.mark.parametrize("phase", ["import", "contribute"])
def test_what_a_failed_plugin_changed_in_the_process_is_taken_back(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, change: str, phase: str
) -> None:
    monkeypatch.setattr(warnings, "filters", list(warnings.filters))
    body = f"import logging, os, sys, warnings; {change}; 1 / 0"
    code = LOADS[phase].replace("BODY", body if phase == "import" else repr(body))
    before = process()
    workshop.plugin("bad", code, required=False)
    workshop.plugin("good")
    states = workshop.app().runtime.registry.states

    assert states["bad"].why.startswith(f"bad: {phase}: ZeroDivisionError")
    assert states["good"].state == "ready"
    assert process() == before


def test_what_another_changed_in_between_stays(workshop: Workshop) -> None:
    late = "from vinc_kernel import hooks\n@hooks.contribute\ndef contribute(): 1 / 0\nimport sys\nsys.path.append('a')"
    workshop.plugin("bad", late, required=False)
    workshop.plugin("good", "import sys\nsys.path.append('b')")
    before = list(sys.path)
    workshop.app()
    after = list(sys.path)
    sys.path.remove("b")

    assert after == [*before, "b"]
