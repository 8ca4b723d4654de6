"""What a plugin's code does beside raising: texts that misbehave, and threads."""

from __future__ import annotations

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


async def test_a_module_whose_names_never_end_is_given_up(judge: Judge) -> None:
    code = "def __dir__():\n    import time; time.sleep(3)  # here\n    return []"
    await judge(f"bad: import: it takes longer than 0.5 s ({{here}}); {SLOW}", code, environ=QUICK)


async def test_an_error_whose_text_ends_the_process_is_one_line(judge: Judge) -> None:
    line = f"bad: import: Bad: its text cannot be had, for SystemExit ({{here}}); {MEND}"
    await judge(line, TEXT.replace("BODY", "raise SystemExit(5)"))


async def test_an_error_whose_text_never_ends_is_given_up(judge: Judge) -> None:
    code = "import time\nclass Bad(Exception):\n    def __str__(self):\n        time.sleep(3)  # here\nraise Bad"
    await judge(f"bad: import: it takes longer than 0.5 s ({{here}}); {SLOW}", code, environ=QUICK)


async def test_a_long_text_is_cut(judge: Judge) -> None:
    line = f"bad: import: Bad: {'x' * 497}... ({{here}}); {MEND}"
    await judge(line, TEXT.replace("BODY", "return 'x' * 10**6"))


async def test_control_characters_of_a_text_are_escaped(judge: Judge) -> None:
    line = f"bad: import: Bad: a\\x1b[31m\\x00 b \\xdcff c ({{here}}); {MEND}"
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
