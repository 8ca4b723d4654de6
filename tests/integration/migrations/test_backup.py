"""A dump as the role for backups has every tenant's rows, and one that had not would fail (M3)."""

import subprocess
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from vinc_migrations.check import check
from vinc_migrations.prepare import prepare
from vinc_testing.embedded.postgres import find_programs
from vinc_testing.servers import conninfo

from .conftest import Ground, tenant_table

TABLES = f"""
{tenant_table("invoices_invoice", 'sa.Column("number", sa.Integer(), sa.Identity())')}
op.execute(
    "create table invoices_log (tenant_id uuid not null, name text, at date not null default now())"
    " partition by range (at)"
)
op.execute("create table invoices_log_all partition of invoices_log default")
enable_row_level_security("invoices_log")
"""
COUNTS = """
select 'invoice', tenant_id, count(*) from invoices_invoice group by tenant_id
union all select 'log', tenant_id, count(*) from invoices_log group by tenant_id order by 1, 2
"""


@pytest.fixture
def filled(ground: Ground) -> Ground:
    """Tables with rows of two tenants."""
    ground.up(ground.plugin("invoices", TABLES))
    ground.fill("invoices_invoice", each=3)
    ground.fill("invoices_log")
    return ground


@pytest.fixture
def restored(filled: Ground) -> Generator[Ground]:
    """An empty database on the same server, with the same roles."""
    made = Ground(filled.servers, f"{filled.name}_restored", filled.roles, filled.folder)
    with psycopg.connect(conninfo(filled.servers.postgres), autocommit=True) as connection:
        drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(made.name))
        connection.execute(drop)
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(made.name)))
        yield made
        connection.execute(drop)


def dump(ground: Ground, file: Path) -> subprocess.CompletedProcess[str]:
    url = conninfo(ground.url(ground.roles.backup))
    return run("pg_dump", "--format=custom", f"--file={file}", f"--dbname={url}")


def run(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([find_programs() / program, *words], capture_output=True, text=True, check=False)


def test_a_dump_restores_the_rows_of_every_tenant_as_guarded_as_they_were(
    filled: Ground, restored: Ground, tmp_path: Path
) -> None:
    dumped = dump(filled, tmp_path / "dump")
    loaded = run("pg_restore", f"--dbname={conninfo(restored.url())}", str(tmp_path / "dump"))
    prepare(restored.servers.postgres, restored.name, restored.roles, {})

    assert (dumped.returncode, dumped.stderr) == (0, "")
    assert loaded.returncode == 0, loaded.stderr
    assert [number for _, _, number in filled.rows(COUNTS)] == [3, 3, 2, 2]
    assert restored.rows(COUNTS) == filled.rows(COUNTS)
    assert check(restored.url(restored.roles.migrator), [], {}, restored.options) == []


def test_a_dump_that_would_lack_rows_fails(filled: Ground, tmp_path: Path) -> None:
    filled.do(f"alter role {filled.roles.backup} nobypassrls")
    try:
        dumped = dump(filled, tmp_path / "dump")
    finally:
        filled.do(f"alter role {filled.roles.backup} bypassrls")

    assert dumped.returncode == 1
    assert "query would be affected by row-level security policy" in dumped.stderr


@pytest.mark.parametrize(
    "statement",
    ["update invoices_invoice set name = ''", "delete from invoices_log", "truncate invoices_log", "create table t ()"],
)
def test_the_role_for_backups_changes_nothing(filled: Ground, statement: str) -> None:
    with filled.connect(filled.roles.backup) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement.encode())
