"""What `vinc` writes, and where it cannot; and its arguments that are out of range."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from vinc_kernel.cli import main
from vinc_kernel.commands.arguments import port
from vinc_kernel.commands.command import LONGEST, complain, print_table, printable, say

from .conftest import Workshop

Shell = Callable[..., subprocess.CompletedProcess[bytes]]
FULL = "vinc: standard output cannot be written: no space left on device; "
CLOSED = "vinc: standard output is closed; "
CURE = "direct it to a terminal, a pipe or a file with room\n"
BAD = """
from vinc_kernel import hooks
@hooks.contribute
def contribute():
    raise ValueError("\\x1b[2J\\udc80\\nvinc: all is well")
"""
PRINTS = """
from vinc_kernel import Contribution, hooks
def shout() -> None:
    for _ in range(2000):
        print("\\udc80" * 10)
@hooks.contribute
def contribute() -> Contribution:
    return Contribution(commands=[shout])
"""


@pytest.fixture
def shell(workshop: Workshop) -> Shell:
    """Run `vinc` in a shell, where `>&-` closes its output."""
    workshop.write("")

    def run(command: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
        line = f'exec "{sys.executable}" -m vinc_kernel.cli {command}'
        told = {**workshop.process_environ, "PYTHONUNBUFFERED": "", **environ}
        return subprocess.run(
            ["/bin/sh", "-c", line], env=told, cwd=workshop.folder, capture_output=True, timeout=60, check=False
        )

    return run


@pytest.mark.parametrize("command", ["plugins", "--help", "serve --port 0"])
def test_a_closed_output_is_one_line(shell: Shell, command: str) -> None:
    done = shell(f"{command} >&-")

    assert (done.returncode, done.stderr.decode()) == (1, CLOSED + CURE)


@pytest.mark.parametrize(
    ("command", "unbuffered"),
    [("plugins", ""), ("plugins", "1"), ("settings", ""), ("check", ""), ("--help", ""), ("loud shout", "")],
)
def test_an_output_without_room_is_one_line(workshop: Workshop, shell: Shell, command: str, unbuffered: str) -> None:
    workshop.plugin("loud", PRINTS.replace("2000", "2"))
    done = shell(f"{command} >/dev/full", PYTHONUNBUFFERED=unbuffered)

    assert (done.returncode, done.stderr.decode()) == (1, FULL + CURE)


def test_a_reader_who_has_read_enough_is_no_error(shell: Shell) -> None:
    done = shell("settings | true")

    assert done.stderr == b""


@pytest.mark.parametrize("errors", ["2>&-", "2>/dev/full"])
def test_errors_that_nobody_can_read_leave_the_exit_code(workshop: Workshop, shell: Shell, errors: str) -> None:
    workshop.write("[")
    done = shell(f"plugins {errors}")

    assert (done.returncode, done.stdout) == (1, b"")


def test_what_a_plugin_prints_may_hold_anything(workshop: Workshop, shell: Shell) -> None:
    workshop.plugin("loud", PRINTS, required=False)
    done = shell("loud shout")

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == (b"\\udc80" * 10 + b"\n") * 2000


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("command", ["check", "plugins --loaded"])
def test_an_error_of_a_plugin_steers_no_terminal_and_forges_no_line(
    workshop: Workshop, shell: Shell, command: str, required: bool
) -> None:
    workshop.plugin("bad", BAD, required=required)
    done = shell(command)
    said = (done.stdout + done.stderr).decode()

    assert b"Traceback" not in done.stderr
    assert "bad: " in said
    assert "\x1b" not in said
    assert not [line for line in said.splitlines() if line.startswith("vinc: all")]


def test_a_version_of_a_plugin_steers_no_terminal(workshop: Workshop, shell: Shell) -> None:
    workshop.plugin("odd", BAD, version="1.0\x1b[2J", required=False)
    done = shell("plugins")

    assert b"\x1b" not in done.stdout + done.stderr
    assert [one["name"] for one in json.loads(shell("plugins --json").stdout)].count("odd") == 1


def test_lines_and_cells_are_printable_and_not_too_long(capsys: pytest.CaptureFixture[str]) -> None:
    wild = "\x1b[2J\r\n\u2028\udc80" + "x" * 5000 + "the cure"
    say(wild)
    complain(wild)
    print_table([("A", "B"), (wild, "b")])
    written = capsys.readouterr()
    line, *table = written.out.splitlines()

    assert len(line) == LONGEST
    assert line.startswith("\\x1b[2J\\x0d\\x0a\\x2028\\xdc80xxx")
    assert line.endswith("the cure")
    assert written.err == f"vinc: {line}\n"
    assert table[1] == f"{line}  b"
    assert printable("plain: 'ü' — 語") == "plain: 'ü' — 語"


@pytest.mark.parametrize(
    "words", ["--port 99999", "--port 65536", "--port -1", "--port x", "--workers 0", "--workers -3", "--workers 1.5"]
)
def test_an_argument_out_of_range_is_a_usage_error(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["serve", *words.split()])
    errors = capsys.readouterr().err

    assert errors.startswith("usage: vinc serve")
    assert words.split(maxsplit=1)[0] in errors.splitlines()[-1]


def test_the_ends_of_the_range_are_ports() -> None:
    assert (port("0"), port("65535")) == (0, 65535)
