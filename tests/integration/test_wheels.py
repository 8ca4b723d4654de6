"""What is shipped: wheels that carry all they need, and an installation of them that runs far from this repository."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen
from zipfile import ZipFile

import pytest

from vinc_testing.servers import TOKEN_SECRET, Servers, once

from ..credentials import credentials
from .new_environment import ROOT, Environment, new_environment
from .preloaded import preloaded
from .serving import free_port, serving

SHIPPED = {
    "kernel": "vinc_kernel",
    "migrations": "vinc_migrations",
    "testing": "vinc_testing",
    "plugins/health": "vinc_health",
    "plugins/tenants": "vinc_tenants",
    "examples/acme-invoices": "acme_invoices",
}
OTHERS = ("vinc_migrations", "vinc_testing", "vinc_tenants", "acme_invoices")
CARRIED = {
    "vinc_migrations": {"env.py", "script.py.mako"},
    "vinc_tenants": {"migrations/versions/4d1f0c6a9b27_tenants.py"},
    "acme_invoices": {
        "migrations/versions/8c2d5e71a0f4_invoices.py",
        "migrations/versions/f3a9b60c7d18_audit_columns.py",
        "migrations/versions/1be47d95c2a6_due.py",
    },
}
# What a project that has nothing to do with Vinc says, beside a kernel that is installed by chance.
STRANGERS = """
import sys

def test_there_is_no_vinc():
    assert [name for name in sys.modules if "vinc" in name] == []
"""
ADMIN = credentials("alice;wholesale_admin;acme") | {"Content-Type": "application/json"}


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> dict[str, Path]:
    """The wheel of each distribution by its package; built once a run."""
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent
    made = shared / "wheels"
    once(shared, "wheels", lambda: build(made))
    return {file.name.partition("-")[0]: file for file in made.glob("*.whl")}


def build(into: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(into)]
    for folder in SHIPPED:
        done = subprocess.run([*command, str(ROOT / folder)], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def away() -> Iterator[Path]:
    """A directory outside of the repository that every account may enter: one of them runs PostgreSQL."""
    with TemporaryDirectory(prefix="vinc-wheels-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.mark.parametrize("package", SHIPPED.values())
def test_a_wheel_carries_its_types_and_migrations_and_no_tests(wheels: dict[str, Path], package: str) -> None:
    with ZipFile(wheels[package]) as wheel:
        files = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert {name.partition("/")[0] for name in files} == {package}
    assert f"{package}/py.typed" in files
    assert {f"{package}/{name}" for name in CARRIED.get(package, ())} <= files
    assert [name for name in files if "tests/" in name or "test_" in name or "conftest" in name] == []


def test_kernel_and_a_strangers_plugin_run_outside_of_the_repository(
    wheels: dict[str, Path], away: Path, vinc_servers: Servers
) -> None:
    made = new_environment(away / "v")
    install(made, away, wheels["vinc_kernel"])
    pytest_knows_nothing_of_it(made, away)
    install(made, away, *(wheels[name] for name in OTHERS))
    nothing_comes_from_anywhere_else(made, away)
    made.variables |= settings(vinc_servers, "wheels")
    (away / "plugins.toml").write_text("[plugins.tenants]\n[plugins.invoices]\n")

    with preloaded(made.python, made.variables) as vinc:
        for words, expected in (
            (["check"], "2 of 2 plugins are ready"),
            (["db", "init", "--admin-url", vinc_servers.postgres], ""),
            (["db", "upgrade"], "3 histories are up to date"),
            (["db", "check"], "database, histories and models are equal"),
            (["tenants", "demo"], "added the tenant acme"),
        ):
            done = vinc.run(words, away, made.variables)
            assert done.returncode == 0, done.stdout + done.stderr
            assert expected in done.stdout
    serves_invoices(made, away)
    its_own_tests_pass(made, away)


def install(made: Environment, away: Path, *ours: Path) -> None:
    said(made, away, "pip", "install", "--quiet", "--constraint", str(ROOT / "constraints.txt"), *ours)


def pytest_knows_nothing_of_it(made: Environment, away: Path) -> None:
    """The kernel alone changes no run of pytest."""
    folder = away / "strangers"
    folder.mkdir()
    (folder / "test_strangers.py").write_text(STRANGERS)

    assert "1 passed" in said(made, folder, "pytest", "-q")


def nothing_comes_from_anywhere_else(made: Environment, away: Path) -> None:
    said(made, away, "pip", "check")
    packages = "vinc_kernel", *OTHERS
    where = f"import {', '.join(packages)}; print({', '.join(f'{name}.__file__' for name in packages)})"
    files = said(made, away, made.python, "-c", where).split()

    assert [Path(file).parents[1] for file in files] == [made.packages] * len(packages)


def settings(servers: Servers, name: str) -> dict[str, str]:
    """A database and roles of our own on this run's server."""
    prefix = f"{servers.prefix}_{name}"
    return {
        "VINC_ENV": "test",
        "VINC_JWT_TEST_SECRET": TOKEN_SECRET,
        "VINC_DATABASE_ROLE_PREFIX": prefix,
        "VINC_DATABASE_URL": servers.database(prefix, f"{prefix}_app", "secret"),
        "VINC_DATABASE_MIGRATION_URL": servers.database(prefix, f"{prefix}_migrator", "secret"),
    }


def said(made: Environment, away: Path, *words: str | Path) -> str:
    """What a command prints, if it succeeds."""
    done = made.run(*words, cwd=away)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout


def serves_invoices(made: Environment, away: Path) -> None:
    port = free_port()
    new = json.dumps({"number": "2026-1", "amount": "12.50"}).encode()
    address = f"http://127.0.0.1:{port}/api/v1/invoices"
    vinc = made.place / "bin" / "vinc"
    with serving([vinc, "serve", "--port", str(port)], port, cwd=away, environ=made.variables):
        with urlopen(Request(address, data=new, headers=ADMIN), timeout=10) as answer:
            assert answer.status == 201
        with urlopen(Request(address, headers=ADMIN), timeout=10) as answer:
            assert [each["number"] for each in json.load(answer)["items"]] == ["2026-1"]


def its_own_tests_pass(made: Environment, away: Path) -> None:
    """As their author runs them: beside nothing but the installed packages, with servers that they start themselves."""
    example = away / "acme-invoices"
    shutil.copytree(ROOT / "examples/acme-invoices/tests", example / "tests")
    shutil.copy(ROOT / "examples/acme-invoices/pyproject.toml", example)
    # The kernel and this one plugin are enough for its tests: tenants are remembered where no plugin stores them.
    (example / "plugins.toml").write_text("[plugins.invoices]\n")
    variables = {name: value for name, value in made.variables.items() if not name.startswith("VINC_")}
    alone = Environment(made.place, variables)

    assert " passed" in said(alone, example, "pytest", "-q", "-W", "error", "tests")
