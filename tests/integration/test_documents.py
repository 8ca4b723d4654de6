"""Every command of the documents, run in a copy of this checkout, with an environment and a database of its own.

The lines of a page's blocks run in order. One that serves runs beside those below it, until the next one that serves.
Instead of port 8000 it is a free one.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from vinc_testing.servers import Servers

from ..pages import ROOT, blocks, page, rows, section
from .new_environment import Environment, new_environment
from .serving import free_port, serving

OPERATORS, AUTHORS = "docs/operators.md", "docs/plugins.md"
COPIED = (
    ".env.example",
    "alembic.ini",
    "constraints.txt",
    "dev",
    "plugins.toml",
    "pyproject.toml",
    "requirements-dev.txt",
    "requirements.txt",
    "development",
    "examples",
    "kernel",
    "migrations",
    "plugins",
)
SERVES = re.compile(r"(\./dev up|vinc serve|uvicorn)\b").match
LEFT_OUT = re.compile(r"\./dev (test|check|bench)$").fullmatch  # they would run this very test
UNSEEN = {"event", "level", "timestamp"}  # every line of a log has them

BUILT_BY = """
[build-system]
requires = ["hatchling==1.33.0"]
build-backend = "hatchling.build"
"""


@dataclass
class Checkout:
    """A copy of this checkout, where commands run as somebody types them who has the environment active."""

    path: Path
    environment: Environment
    variables: dict[str, str]
    said: dict[str, str] = field(default_factory=dict)
    not_run: list[str] = field(default_factory=list)

    def follow(self, name: str) -> None:
        """Run the blocks of a page."""
        port = free_port()
        with ExitStack() as served:
            for line in "\n".join(blocks(page(name), "sh")).replace(":8000", f":{port}").splitlines():
                if SERVES(line):
                    served.close()  # the one before
                    self.serve(line, port, served)
                elif line.startswith("curl ") and shutil.which("curl") is None:
                    self.not_run.append(line)
                elif line and not LEFT_OUT(line):
                    self.do(line)

    def count_what_was_not_run(self) -> None:
        """Skip the rest of the test where this machine lacks a command that a page uses."""
        if self.not_run:
            pytest.skip(f"there is no curl here, so not run: {'; '.join(self.not_run)}")

    def serve(self, line: str, port: int, served: ExitStack) -> None:
        words = [*line.replace("--port 8000", "").split(), "--port", str(port)]
        output = served.enter_context(serving(words, port, cwd=self.path, environ=self.variables))
        served.callback(lambda: self.said.update({line: output.read_text()}))

    def do(self, *lines: str) -> None:
        for line in lines:
            command = line.replace("curl ", "curl -fsS ")  # quiet, and an error of the server is one of the command
            done = subprocess.run(
                ["sh", "-c", command],
                cwd=self.path,
                env=self.variables,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            self.said[line] = done.stdout


@pytest.fixture
def checkout() -> Iterator[Callable[..., Checkout]]:
    """Make a copy; every account may enter it, since one of them runs PostgreSQL."""
    with TemporaryDirectory(prefix="vinc-docs-", ignore_cleanup_errors=True) as made:
        home = Path(made)

        def copy(*, installed: bool, **variables: str) -> Checkout:
            environment = new_environment(home / "v", "testing", "reload")
            path = home / "vinc"
            path.mkdir(mode=0o755)
            for name in COPIED:
                copy_of(ROOT / name, path / name)
            given = {**environment.variables, **variables, "VINC_VENV": str(environment.place)}
            made = Checkout(path, environment, given)
            if installed:
                made.do("pip install -r requirements.txt")
            return made

        yield copy


def copy_of(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    else:
        shutil.copy(source, target)


def database(servers: Servers, name: str) -> dict[str, str]:
    """A database and roles of our own on this run's server, and who may make them."""
    prefix = f"{servers.prefix}_{name}"
    return {
        "VINC_ENV": "dev",
        "VINC_DATABASE_ROLE_PREFIX": prefix,
        "VINC_DATABASE_URL": servers.database(prefix, f"{prefix}_app", "secret"),
        "VINC_DATABASE_MIGRATION_URL": servers.database(prefix, f"{prefix}_migrator", "secret"),
        "VINC_TEST_DATABASE_URL": servers.postgres,
        "ADMIN_URL": servers.postgres,
    }


def test_the_readme_can_be_followed(checkout: Callable[..., Checkout]) -> None:
    made = checkout(installed=True)
    made.follow("README.md")
    assert routes_of_the_ten_lines(made) == ["GET /api/v1/hello"]
    made.count_what_was_not_run()
    (asked,) = [line for line in made.said if line.startswith("curl")]
    (shown,) = blocks(page("README.md"), "json")
    answered, promised = json.loads(made.said[asked]), json.loads(shown)

    assert list(answered) == list(promised)
    assert (answered["slug"], answered["name"]) == (promised["slug"], promised["name"])


def routes_of_the_ten_lines(made: Checkout) -> list[str]:
    """Install the plugin of the README, and tell what it adds."""
    (code,) = blocks(page("README.md"), "python")
    (metadata,) = blocks(page("README.md"), "toml")
    folder = made.path / "hello" / "acme_hello"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text('"""Hello."""\n')
    (folder / "plugin.py").write_text(code)
    (folder.parent / "pyproject.toml").write_text(metadata + BUILT_BY)
    made.variables["VINC_ENV"] = "test"
    made.do("pip install ./hello", "vinc plugins enable hello", "vinc check", "vinc plugins --loaded --json")
    told = {one["name"]: one for one in json.loads(made.said["vinc plugins --loaded --json"])}
    assert len([line for line in code.splitlines() if line]) <= 10
    routes: list[str] = told["hello"]["routes"]
    return routes


def test_the_page_for_operators_can_be_followed(checkout: Callable[..., Checkout], vinc_servers: Servers) -> None:
    made = checkout(installed=False, **database(vinc_servers, "operators"))
    made.follow(OPERATORS)
    made.count_what_was_not_run()
    (served,) = [said for line, said in made.said.items() if line.startswith("vinc serve")]
    lines = [json.loads(line) for line in served.splitlines() if line.startswith("{")]
    fields = {name for name, *_ in rows(section(page(OPERATORS), "## Logs"))}
    (shown,) = [json.loads(block) for block in blocks(page(OPERATORS), "json")]

    assert [set(line) - UNSEEN for line in lines if line["event"] == "request"][-1] == fields
    assert set(shown) == fields | UNSEEN


def test_the_page_for_authors_can_be_followed(checkout: Callable[..., Checkout], vinc_servers: Servers) -> None:
    made = checkout(installed=True, **database(vinc_servers, "authors"))
    made.follow(AUTHORS)

    assert made.said["vinc invoices remind acme --days 7"] == "0 reminders printed\n"
    assert " passed" in made.said["pytest examples/acme-invoices/tests"]
    (written,) = [said for line, said in made.said.items() if line.startswith("vinc db revision")]
    assert Path(written.strip()).is_relative_to(made.path / "examples/acme-invoices/acme_invoices/migrations/versions")
