"""What `vinc` writes, and where it cannot; and its arguments that are out of range."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vinc_kernel.cli import main
from vinc_kernel.commands.arguments import port
from vinc_kernel.commands.command import LONGEST, complain, print_table, printable, say

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


def vinc(folder: Path, command: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run `vinc` in a shell, where `>&-` closes its output; the plugins are those in the folder, and no others."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("VINC_", "PYTHONUNBUFFERED"))}
    told = {"VINC_ENV": "test", "VINC_PLUGINS_FILE": str(folder / "plugins.toml"), "PYTHONPATH": str(folder), **environ}
    line = f'exec "{sys.executable}" -m vinc_kernel.cli {command}'
    return subprocess.run(
        ["/bin/sh", "-c", line], env={**clean, **told}, cwd=folder, capture_output=True, timeout=60, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plugins.toml").write_text("")
    return tmp_path


def install(folder: Path, name: str, code: str, version: str = "1.0") -> None:
    info = folder / f"tiny_{name}-1.0.dist-info"
    info.mkdir()
    (folder / f"tiny_{name}.py").write_text(code)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: tiny-{name}\nVersion: {version}\nRequires-Dist: vinc-kernel>=0.1\n"
    )
    (info / "entry_points.txt").write_text(f"[vinc.plugins]\n{name} = tiny_{name}\n")
    (folder / "plugins.toml").write_text(f"[plugins.{name}]\nrequired = false\n")


@pytest.mark.parametrize("command", ["plugins", "--help", "serve --port 0"])
def test_a_closed_output_is_one_line(folder: Path, command: str) -> None:
    done = vinc(folder, f"{command} >&-")

    assert (done.returncode, done.stderr.decode()) == (1, CLOSED + CURE)


@pytest.mark.parametrize(
    ("command", "unbuffered"), [("plugins", ""), ("plugins", "1"), ("settings", ""), ("check", "")]
)
def test_an_output_without_room_is_one_line(folder: Path, command: str, unbuffered: str) -> None:
    done = vinc(folder, f"{command} >/dev/full", PYTHONUNBUFFERED=unbuffered)

    assert (done.returncode, done.stderr.decode()) == (1, FULL + CURE)


def test_help_and_what_a_plugin_prints_need_room_too(folder: Path) -> None:
    install(folder, "loud", PRINTS.replace("2000", "2"))

    for command in ("--help", "loud shout"):
        done = vinc(folder, f"{command} >/dev/full")
        assert (done.returncode, done.stderr.decode()) == (1, FULL + CURE)


def test_a_reader_who_has_read_enough_is_no_error(folder: Path) -> None:
    done = vinc(folder, "settings | true")

    assert done.stderr == b""


@pytest.mark.parametrize("errors", ["2>&-", "2>/dev/full"])
def test_errors_that_nobody_can_read_leave_the_exit_code(folder: Path, errors: str) -> None:
    (folder / "plugins.toml").write_text("[")
    done = vinc(folder, f"plugins {errors}")

    assert (done.returncode, done.stdout) == (1, b"")


def test_what_a_plugin_prints_may_hold_anything(folder: Path) -> None:
    install(folder, "loud", PRINTS)
    done = vinc(folder, "loud shout")

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == (b"\\udc80" * 10 + b"\n") * 2000


@pytest.mark.parametrize("required", ["true", "false"])
@pytest.mark.parametrize("command", ["check", "plugins --loaded"])
def test_an_error_of_a_plugin_steers_no_terminal_and_forges_no_line(folder: Path, command: str, required: str) -> None:
    install(folder, "bad", BAD)
    (folder / "plugins.toml").write_text(f"[plugins.bad]\nrequired = {required}\n")
    done = vinc(folder, command)
    said = (done.stdout + done.stderr).decode()

    assert b"Traceback" not in done.stderr
    assert "bad: " in said
    assert "\x1b" not in said
    assert not [line for line in said.splitlines() if line.startswith("vinc: all")]


def test_a_version_of_a_plugin_steers_no_terminal(folder: Path) -> None:
    install(folder, "odd", BAD, version="1.0\x1b[2J")
    done = vinc(folder, "plugins")

    assert b"\x1b" not in done.stdout + done.stderr
    assert [one["name"] for one in json.loads(vinc(folder, "plugins --json").stdout)].count("odd") == 1


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
