"""Serving neither imports nor needs Alembic and vinc-migrations: vinc-kernel alone plays its part."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vinc_kernel import cli
from vinc_testing import Database, Servers
from vinc_testing.databases import environment

from .serving import free_port, serving

# As in an environment without the distribution: no import of either succeeds, and nothing adds commands.
ALONE = """
import sys
sys.modules["alembic"] = sys.modules["vinc_migrations"] = None
from vinc_kernel import cli
cli.added_commands = dict
sys.exit(cli.main(sys.argv[1:]))
"""
SERVE = """
import asyncio, sys
from vinc_kernel.main import app
async def serve():
    async with app.lifespan():
        print(sorted({name.partition(".")[0] for name in sys.modules} & {"alembic", "vinc_migrations"}))
asyncio.run(serve())
"""
PLUGINS = """
import sys
from vinc_kernel import cli
sys.exit(cli.main(["plugins"]) or "alembic" in sys.modules)
"""


@pytest.fixture
def variables(vinc_servers: Servers, vinc_database: Database) -> dict[str, str]:
    """The environment of an installation whose database is up to date."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("VINC_")}
    return inherited | environment(vinc_servers, vinc_database.name)


def run(code: str, *words: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)


def test_a_serving_process_imports_neither(variables: dict[str, str]) -> None:
    done = run(SERVE, variables=variables)

    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_a_list_of_plugins_imports_no_alembic(variables: dict[str, str]) -> None:
    done = run(PLUGINS, variables=variables)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("word", "said"), [("plugins", "vinc-tenants"), ("check", "plugins are ready")])
def test_commands_of_the_kernel_run_without_them(variables: dict[str, str], word: str, said: str) -> None:
    done = run(ALONE, word, variables=variables)

    assert done.returncode == 0, done.stderr
    assert said in done.stdout


def test_a_command_of_migrations_is_unknown_without_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "added_commands", dict)
    with pytest.raises(SystemExit) as refused:
        cli.main(["db", "upgrade"])

    assert refused.value.code == 2
    assert "invalid choice: 'db'" in capsys.readouterr().err


def test_the_server_runs_without_them(variables: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "plugins.toml").write_text("[plugins.health]\n[plugins.tenants]\n")
    port = free_port()
    command = [sys.executable, "-c", ALONE, "serve", "--port", str(port)]

    with serving(command, port, cwd=tmp_path, environ=variables):
        pass  # it has answered by now
