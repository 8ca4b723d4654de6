"""Every command of the documents, run in a copy of this checkout, with an environment of its own and a database a page.

The lines of a page's blocks run in order. One that serves runs beside those below it, until the next one that serves.
Instead of port 8000 it is a free one.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory

import pytest

from vinc_testing.servers import Servers

from ..pages import ROOT, blocks, page, rows, section
from .new_environment import Environment, new_environment
from .preloaded import Preloaded, preloaded
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
    "testing",
)
SERVES = re.compile(r"(\./dev up|vinc serve|uvicorn)\b").match
LEFT_OUT = re.compile(r"\./dev (test|check|bench)$").fullmatch  # they would run this very test
INSTALL = "pip install -r requirements.txt"  # done once for all pages
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
    stack: ExitStack = field(default_factory=ExitStack)
    vinc: Preloaded | None = None

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
                elif line and line != INSTALL and not LEFT_OUT(line):
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
            done = self.run_vinc(line) if line.startswith("vinc ") else self.run_in_shell(line)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            self.said[line] = done.stdout

    def run_in_shell(self, line: str) -> subprocess.CompletedProcess[str]:
        if line.startswith("pip "):
            self.vinc = None
        line = line.replace("curl ", "curl -fsS ")  # quiet, and an error of the server is one of the command
        return self.environment.run("sh", "-c", line, cwd=self.path, **self.variables)

    def run_vinc(self, line: str) -> subprocess.CompletedProcess[str]:
        if self.vinc is None:
            self.vinc = self.stack.enter_context(preloaded(self.environment.python, self.environment.variables))
        words = shlex.split(Template(line).safe_substitute(self.variables))
        return self.vinc.run(words[1:], self.path, self.variables)


@pytest.fixture(scope="module")
def installed() -> Iterator[Checkout]:
    """A copy with its environment, in which every account may read, since one of them runs PostgreSQL."""
    with TemporaryDirectory(prefix="vinc-docs-", ignore_cleanup_errors=True) as made:
        home = Path(made)
        environment = new_environment(home / "v")
        path = home / "vinc"
        path.mkdir(mode=0o755)
        for name in COPIED:
            copy_of(ROOT / name, path / name)
        checkout = Checkout(path, environment, {**environment.variables, "VINC_VENV": str(environment.place)})
        checkout.do(INSTALL, "pip install -e ./testing")
        yield checkout


@pytest.fixture
def checkout(installed: Checkout) -> Iterator[Checkout]:
    """The copy, for one page; the list of plugins is as before at the end."""
    before = (installed.path / "plugins.toml").read_text()
    with ExitStack() as stack:
        yield Checkout(installed.path, installed.environment, dict(installed.variables), stack=stack)
    (installed.path / "plugins.toml").write_text(before)
    (installed.path / ".env").unlink(missing_ok=True)


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


def test_the_readme_can_be_followed(checkout: Checkout) -> None:
    checkout.follow("README.md")
    assert routes_of_the_ten_lines(checkout) == ["GET /api/v1/hello"]
    checkout.count_what_was_not_run()
    (asked,) = [line for line in checkout.said if line.startswith("curl")]
    (shown,) = blocks(page("README.md"), "json")
    answered, promised = json.loads(checkout.said[asked]), json.loads(shown)

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


def test_the_page_for_operators_can_be_followed(checkout: Checkout, vinc_servers: Servers) -> None:
    checkout.variables |= database(vinc_servers, "operators")
    checkout.follow(OPERATORS)
    checkout.count_what_was_not_run()
    (served,) = [said for line, said in checkout.said.items() if line.startswith("vinc serve")]
    lines = [json.loads(line) for line in served.splitlines() if line.startswith("{")]
    fields = {name for name, *_ in rows(section(page(OPERATORS), "## Logs"))}
    (shown,) = [json.loads(block) for block in blocks(page(OPERATORS), "json")]

    assert [set(line) - UNSEEN for line in lines if line["event"] == "request"][-1] == fields
    assert set(shown) == fields | UNSEEN


def test_the_page_for_authors_can_be_followed(checkout: Checkout, vinc_servers: Servers) -> None:
    checkout.variables |= database(vinc_servers, "authors")
    checkout.follow(AUTHORS)
    checkout.count_what_was_not_run()
    (created,) = [json.loads(said) for line, said in checkout.said.items() if line.startswith("curl ")]

    assert (created["number"], created["amount"]) == ("2026-1", "12.50")
    assert checkout.said["vinc invoices remind acme --days 7"] == "0 reminders printed\n"
    assert " passed" in checkout.said["pytest examples/acme-invoices/tests"]
    (written,) = [said for line, said in checkout.said.items() if line.startswith("vinc db revision")]
    assert Path(written.strip()).is_relative_to(
        checkout.path / "examples/acme-invoices/acme_invoices/migrations/versions"
    )
