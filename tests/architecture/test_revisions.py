"""Revisions of the plugins in this repository touch rows only where they say how many (M1)."""

import textwrap
from pathlib import Path

import pytest

from vinc_kernel.database.versions import History, revisions
from vinc_kernel.migrations.lint import bare_statements

ROOT = Path(__file__).parents[2]
FOUND = [*ROOT.glob("plugins/*/*/migrations"), *ROOT.glob("examples/*/*/migrations")]
HISTORIES = [History(folder.parent.name.partition("_")[2], folder) for folder in FOUND]


def test_there_are_histories_to_look_at() -> None:
    assert "tenants" in [history.plugin for history in HISTORIES]


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: str(history.plugin))
def test_revisions_are_one_line_and_have_no_bare_statement(history: History) -> None:
    assert revisions(history)
    assert bare_statements(history) == []


BARE = [
    'op.execute("update t set a = 1")',
    'op.execute("  /* now */ DELETE FROM t")',
    'op.execute("with x as (select 1) insert into t select * from x")',
    'op.execute(text("insert into t values (1)"))',
    'op.execute(sa.text(f"update {table} set a = 1"))',
    "op.execute(sa.update(table).values(a=1))",
    "op.execute(table.delete())",
    "op.execute(STATEMENT)",
    "op.execute(unknown)",
    'op.get_bind().execute(sa.text("truncate t"))',
    'op.get_bind().scalar(sa.text("select count(*) from t"))',
    "op.bulk_insert(table, rows)",
    'op.execute("create table u as select * from t")',
    'op.execute("create table u (n int); insert into u select n from t")',
]
SHELTERED = [
    'op.execute("create index i on t (a)")',
    'op.execute("-- why\\nalter table t add column b text")',
    "op.execute(\"comment on table t is 'update'\")",
    'op.execute(f"grant select on {table} to x")',
    'op.execute(sa.text("drop view v"))',
    "op.execute(sa.schema.CreateSequence(s))",
    'with data(expect=1):\n    op.execute("update t set a = 1")',
    'with migrations.data(expect="select 1"):\n    for row in rows:\n        op.execute(table.insert())',
    'with all_rows():\n    n = op.get_bind().scalar(sa.text("select count(*) from t"))',
]


def history_with(body: str, folder: Path) -> History:
    history = History("a", folder)
    history.versions.mkdir()
    source = f'STATEMENT = "update t set a = 1"\ndef upgrade():\n{textwrap.indent(body, "    ")}\n'
    (history.versions / "one.py").write_text(source)
    return history


@pytest.mark.parametrize("body", BARE)
def test_a_bare_statement_is_found_with_its_line(body: str, tmp_path: Path) -> None:
    (found,) = bare_statements(history_with(body, tmp_path))

    assert f"({tmp_path}/versions/one.py:3); put it into `with data(expect=n):`" in found


@pytest.mark.parametrize("body", SHELTERED)
def test_what_changes_the_schema_or_stands_in_a_data_step_is_not_found(body: str, tmp_path: Path) -> None:
    assert bare_statements(history_with(body, tmp_path)) == []
