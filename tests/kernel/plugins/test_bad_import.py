"""A plugin whose code misbehaves while it is loaded: import, contribute and settings."""

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
CONTRIBUTE = "from vinc_kernel import Contribution, hooks\n@hooks.contribute\ndef contribute():\n    "
SETTINGS = """
from pydantic import field_validator
from vinc_kernel import Contribution, Settings, hooks
class Own(Settings):
    days: int = 7
    @field_validator("days")
    @classmethod
    def check(cls, value):
        BODY
        return value
@hooks.contribute
def contribute():
    return Contribution(settings=Own)
"""


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("import nothing_of_that_name  # here", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("raise ValueError('two\\nlines')  # here", "ValueError: two lines"),
        ("import sys; sys.exit(3)  # here", "SystemExit: 3"),
        ("raise KeyboardInterrupt  # here", "KeyboardInterrupt"),
        ("raise BaseException  # here", "BaseException"),
        ("x = = 1  # here", "SyntaxError: invalid syntax (plugin.py, line 1)"),
    ],
)
async def test_an_import_that_raises_is_one_line(judge: Judge, code: str, what: str) -> None:
    await judge(f"bad: import: {what} ({{here}}); {MEND}", code)


LOOP = "import time; end = time.monotonic() + 3\nwhile time.monotonic() < end: pass  # here"


@pytest.mark.parametrize("wait", ["import time; time.sleep(3)  # here", LOOP])
async def test_an_import_that_hangs_is_given_up(judge: Judge, wait: str) -> None:
    await judge(f"bad: import: it takes longer than 0.5 s ({{here}}); {SLOW}", wait, environ=QUICK)


async def test_the_innermost_line_of_the_plugin_is_told(judge: Judge) -> None:
    files = {"deep.py": "import json\njson.loads('{')  # here"}
    what = "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    await judge(f"bad: import: {what} ({{here}}); {MEND}", "from . import deep", files=files)


async def test_a_module_that_is_not_there_is_told_with_its_table(judge: Judge) -> None:
    line = "bad: import: ModuleNotFoundError: No module named '{package}.absent' ({toml}); " + MEND
    await judge(line, files={"plugin.py": ""}, points="{package}.absent")


async def test_a_misspelt_hook_by_the_typed_decorator_fails_at_import(judge: Judge) -> None:
    code = "from vinc_kernel import hooks\n@hooks.lifespam  # here\ndef f(app): ..."
    what = "AttributeError: module 'vinc_kernel.hookspecs' has no attribute 'lifespam'"
    await judge(f"bad: import: {what} ({{here}}); {MEND}", code)


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (
            "import pluggy\n@pluggy.HookimplMarker('vinc')  # here\ndef contributes(): ...",
            "there is no hook 'contributes' ({here}); did you mean 'contribute'?",
        ),
        (
            "from vinc_kernel import hooks\n@hooks.contribute  # here\ndef mine(app): ...",
            "mine() takes app, which the hook 'contribute' does not give ({here}); write it as contribute()",
        ),
        (
            "from vinc_kernel import hooks\n@hooks.health  # here\nasync def up(application): ...",
            "up() takes application, which the hook 'health' does not give ({here}); write it as health(app)",
        ),
        (
            "import pluggy\n@pluggy.HookimplMarker('vinc')(wrapper=True)  # here\ndef contribute(): yield",
            "contribute() wraps the hook 'contribute' ({here}); implement it: each plugin answers for itself",
        ),
    ],
)
async def test_a_hook_that_is_no_hook_is_refused(judge: Judge, code: str, line: str) -> None:
    await judge(f"bad: import: {line}", code)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("raise ValueError('no')  # here", "ValueError: no"),
        ("import sys; sys.exit()  # here", "SystemExit"),
        ("import PACKAGE.absent  # here", "ModuleNotFoundError: No module named '{package}.absent'"),
    ],
)
async def test_a_contribution_that_raises_is_one_line(judge: Judge, body: str, what: str) -> None:
    await judge(f"bad: contribute: {what} ({{here}}); {MEND}", CONTRIBUTE + body)


async def test_a_contribution_that_hangs_is_given_up(judge: Judge) -> None:
    line = f"bad: contribute: it takes longer than 0.5 s ({{here}}); {SLOW}"
    await judge(line, CONTRIBUTE + "import time; time.sleep(3)  # here", environ=QUICK)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("raise RuntimeError(f'it is {value}')  # here", "RuntimeError"),
        ("raise SystemExit(value)  # here", "SystemExit"),
    ],
)
async def test_settings_that_raise_are_one_line_without_the_value(judge: Judge, body: str, what: str) -> None:
    code = SETTINGS.replace("BODY", body)
    await judge(f"bad: settings: {what} ({{here}}); {MEND}", code, toml="days = 4711")


@pytest.mark.parametrize(
    ("toml", "what"),
    [
        ("day = 1", "{toml}.day ({toml}): Extra inputs are not permitted"),
        (
            "days = 'topsecret'",
            "{toml}.days ({toml}): Input should be a valid integer, unable to parse string as an integer",
        ),
    ],
)
async def test_a_wrong_setting_is_told_without_its_value(judge: Judge, toml: str, what: str) -> None:
    code = SETTINGS.replace("BODY", "pass")
    await judge(f"bad: settings: {what} ({{toml}}); mend the setting", code, toml=toml)


async def test_settings_for_a_plugin_that_has_none_are_refused(judge: Judge) -> None:
    line = "bad: settings: it has no settings, and {toml} sets key ({toml}); take them out"
    await judge(line, "", toml="key = 1")


def test_a_wrong_secret_from_the_environment_is_never_told(workshop: Workshop) -> None:
    code = SETTINGS.replace("days: int = 7", "days: 'SecretStr' = None").replace(
        "BODY", "raise ValueError(value.get_secret_value())"
    )
    workshop.plugin("bad", "from pydantic import SecretStr" + code)
    workshop.environ["VINC_BAD__DAYS"] = "hunter2-hunter2"
    (line,) = workshop.errors()

    assert "hunter2" not in line
    assert "VINC_BAD__DAYS (environment)" in line


def test_all_errors_are_told_at_once(workshop: Workshop) -> None:
    workshop.plugin("one", "raise ValueError  # here")
    workshop.plugin("two", "raise KeyError  # here")
    first, second = workshop.errors()

    assert first.startswith(f"one: import: ValueError ({workshop.here('one')})")
    assert second.startswith(f"two: import: KeyError ({workshop.here('two')})")
