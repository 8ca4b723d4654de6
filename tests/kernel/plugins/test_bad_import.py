"""A plugin whose code misbehaves while it is loaded: import, contribute and settings."""

from __future__ import annotations

import pytest

from .conftest import MEND, SLOW, Judge, Workshop

QUICK = {"VINC_PLUGIN_LOAD_TIMEOUT": "0.5"}
CONTRIBUTE = "from vinc_kernel import Contribution, hooks\n@hooks.contribute\ndef contribute():\n    "
BAD_TEXT = "class Bad(Exception):\n    def __str__(self):\n        BODY\nraise Bad  # here"
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


NO_GENERATOR = """
from contextlib import contextmanager
from vinc_kernel import hooks
@hooks.lifespan  # here
@contextmanager
def life(app): yield
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
        (
            "from . import deep",
            "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
        (
            "from vinc_kernel import hooks\n@hooks.lifespam  # here\ndef f(app): ...",
            "AttributeError: there is no hook 'lifespam'; did you mean 'lifespan'?",
        ),
        (BAD_TEXT.replace("BODY", "raise SystemExit(5)"), "Bad: its text cannot be had, for SystemExit"),
        (BAD_TEXT.replace("BODY", "return 'x' * 10**6"), f"Bad: {'x' * 497}..."),
        (BAD_TEXT.replace("BODY", r"return 'a\x1b[31m\x00\nb \udcff\u2028c'"), r"Bad: a\x1b[31m\x00 b \xdcff c"),
    ],
)
def test_an_import_that_raises_is_one_line_with_the_innermost_place_in_the_plugin(
    judge: Judge, code: str, what: str
) -> None:
    files = {"deep.py": "import json\njson.loads('{')  # here"} if "deep" in code else {}
    judge(f"bad: import: {what} ({{here}}); {MEND}", code, files=files)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("raise ValueError('no')  # here", "ValueError: no"),
        ("import sys; sys.exit()  # here", "SystemExit"),
        ("import PACKAGE.absent  # here", "ModuleNotFoundError: No module named '{package}.absent'"),
    ],
)
def test_a_contribution_that_raises_is_one_line(judge: Judge, body: str, what: str) -> None:
    judge(f"bad: contribute: {what} ({{here}}); {MEND}", CONTRIBUTE + body)


LOOP = "import time; end = time.monotonic() + 3\nwhile time.monotonic() < end: pass  # here"


NAMES = "def __dir__():\n    import time; time.sleep(3)  # here\n    return []"
TEXT = "import time\nclass Bad(Exception):\n    def __str__(self):\n        time.sleep(3)  # here\nraise Bad"


@pytest.mark.parametrize("wait", ["import time; time.sleep(3)  # here", LOOP, NAMES, TEXT])
def test_an_import_that_hangs_is_given_up(judge: Judge, wait: str) -> None:
    judge(f"bad: import: it takes longer than 0.5 s ({{here}}); {SLOW}", wait, environ=QUICK)


def test_a_module_that_is_not_there_is_told_with_its_table(judge: Judge) -> None:
    line = "bad: import: ModuleNotFoundError: No module named '{package}.absent' ({toml}); " + MEND
    judge(line, files={"plugin.py": ""}, points="{package}.absent")


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
            "from vinc_kernel import hooks\n@hooks.lifespan  # here\nasync def life(app): yield",
            "life() is no context manager ({here}); write @asynccontextmanager above it",
        ),
        (
            NO_GENERATOR,
            "life() is no async generator ({here}); write `async def life`, and @asynccontextmanager above",
        ),
        (
            "from vinc_kernel import Event, hooks\n@hooks.on(Event)  # here\ndef heard(events, context): ...",
            "heard() implements the hook 'on' and is not awaitable ({here}); write `async def heard`",
        ),
        (
            "import pluggy\n@pluggy.HookimplMarker('vinc')(wrapper=True)  # here\ndef contribute(): yield",
            "contribute() wraps the hook 'contribute' ({here}); implement it: each plugin answers for itself",
        ),
    ],
)
def test_a_hook_that_is_no_hook_is_refused(judge: Judge, code: str, line: str) -> None:
    judge(f"bad: import: {line}", code)


def test_a_contribution_that_hangs_is_given_up(judge: Judge) -> None:
    line = f"bad: contribute: it takes longer than 0.5 s ({{here}}); {SLOW}"
    judge(line, CONTRIBUTE + "import time; time.sleep(3)  # here", environ=QUICK)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("raise RuntimeError(f'it is {value}')  # here", "RuntimeError"),
        ("raise SystemExit(value)  # here", "SystemExit"),
    ],
)
def test_settings_that_raise_are_one_line_without_the_value(judge: Judge, body: str, what: str) -> None:
    code = SETTINGS.replace("BODY", body)
    judge(f"bad: settings: {what} ({{here}}); {MEND}", code, toml="days = 4711")


@pytest.mark.parametrize(
    ("toml", "what"),
    [
        ("day = 1", "{toml}.day ({toml}): is not a setting; did you mean days?"),
        (
            "days = 'topsecret'",
            "{toml}.days ({toml}): Input should be a valid integer, unable to parse string as an integer",
        ),
    ],
)
def test_a_wrong_setting_is_told_without_its_value(judge: Judge, toml: str, what: str) -> None:
    code = SETTINGS.replace("BODY", "pass")
    judge(f"bad: settings: {what} ({{toml}}); mend the setting", code, toml=toml)


def test_a_wrong_secret_from_the_environment_is_never_told(workshop: Workshop) -> None:
    code = SETTINGS.replace("days: int = 7", "days: 'SecretStr' = None").replace(
        "BODY", "raise ValueError(value.get_secret_value())"
    )
    workshop.plugin("bad", "from pydantic import SecretStr" + code)
    workshop.environ["VINC_BAD__DAYS"] = "hunter2-hunter2"
    (line,) = workshop.errors()

    assert "hunter2" not in line
    assert "VINC_BAD__DAYS (environment)" in line
