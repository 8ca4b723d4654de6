"""Revisions of the plugins in this repository touch rows only where they say how many, and block nobody (M1, M6)."""

import textwrap
from pathlib import Path

import pytest

from vinc_kernel.database.versions import KERNEL_REVISIONS, History, revisions
from vinc_migrations.blocking import (
    COPIED,
    DEFAULT,
    FILLED,
    INDEX,
    UNIQUE,
    UNVALIDATED,
    VALUELESS,
    blocking_changes,
)
from vinc_migrations.find import KERNEL_HISTORY
from vinc_migrations.lint import GRANT_HINT, bare_statements

ROOT = Path(__file__).parents[2]
FOUND = [*ROOT.glob("plugins/*/*/migrations"), *ROOT.glob("examples/*/*/migrations")]
HISTORIES = [KERNEL_HISTORY, *(History(folder.parent.name.partition("_")[2], folder) for folder in FOUND)]


def test_there_are_histories_to_look_at() -> None:
    assert "tenants" in [history.plugin for history in HISTORIES]


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: str(history.plugin))
def test_revisions_are_one_line_and_have_no_bare_statement(history: History) -> None:
    assert revisions(history)
    assert bare_statements(history) == []
    assert blocking_changes(history) == []


def test_the_kernel_knows_its_own_revisions_without_the_history() -> None:
    assert revisions(KERNEL_HISTORY) == KERNEL_REVISIONS


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
    'op.execute(sa.text("drop view v"))',
    "op.execute(sa.schema.CreateSequence(s))",
    'with data_migration(expect=1):\n    op.execute("update t set a = 1")',
    'with migrations.data_migration(expect="select 1"):\n    for row in rows:\n        op.execute(table.insert())',
    'with bypass_row_level_security():\n    n = op.get_bind().scalar(sa.text("select count(*) from t"))',
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

    assert f"({tmp_path}/versions/one.py:3); put it into `with data_migration(expect=n):`" in found


@pytest.mark.parametrize("body", SHELTERED)
def test_what_changes_the_schema_or_stands_in_a_data_step_is_not_found(body: str, tmp_path: Path) -> None:
    assert bare_statements(history_with(body, tmp_path)) == []


GRANTS = [
    'op.execute(f"grant select on {table} to x")',
    'op.execute("revoke update on t from x")',
    'op.execute("-- why\\nGRANT all ON t TO x")',
    'op.execute(sa.text("create view v as select 1; grant select on v to x"))',
    'op.execute("alter default privileges in schema public grant delete on tables to x")',
    'with bypass_row_level_security():\n    op.execute("grant select on t to x")',
]


@pytest.mark.parametrize("body", GRANTS)
def test_a_grant_is_found_with_what_to_do_instead(body: str, tmp_path: Path) -> None:
    (found,) = bare_statements(history_with(body, tmp_path))

    assert found.endswith(f"; {GRANT_HINT}")


BLOCKING = {
    'op.create_index("i", "t", ["tenant_id", "a"])': INDEX,
    'op.create_index("i", table_name=TABLE, columns=["a"])': INDEX,
    'op.execute("create unique index i on t (tenant_id, a)")': INDEX,
    'op.execute("CREATE  INDEX ON public.t (a)")': INDEX,
    'op.create_unique_constraint("u", "t", ["tenant_id", "a"])': UNIQUE,
    'op.create_primary_key("p", "t", ["tenant_id", "a"])': UNIQUE,
    'op.execute("alter table t add constraint u unique (tenant_id, a)")': UNIQUE,
    'op.create_foreign_key("f", "t", "u", ["tenant_id", "a"], ["tenant_id", "id"])': UNVALIDATED,
    'op.create_check_constraint("c", "t", "a > 0")': UNVALIDATED,
    'op.create_check_constraint("c", "t", "a > 0", postgresql_not_valid=False)': UNVALIDATED,
    'op.execute("alter table only t add constraint c check (a > 0)")': UNVALIDATED,
    'op.execute("alter table t add b int references u (id)")': UNVALIDATED,
    'op.alter_column("t", "a", type_=sa.BigInteger())': COPIED,
    'op.execute("alter table t alter column a set data type bigint")': COPIED,
    'op.execute("alter table t alter a type bigint")': COPIED,
    'op.alter_column("t", "a", nullable=False)': FILLED,
    'op.execute("alter table t alter a set not null")': FILLED,
    'op.add_column("t", sa.Column("a", sa.Uuid(), server_default=sa.text("gen_random_uuid()")))': DEFAULT,
    'op.add_column("t", sa.Column("a", sa.Uuid(), server_default=sa.func.random()))': DEFAULT,
    'op.add_column("t", sa.Column("a", sa.Integer(), sa.Identity()))': DEFAULT,
    'op.add_column(table, sa.Column("a", sa.Text(), sa.Computed("b || c")))': DEFAULT,
    'op.execute("alter table t add column a timestamptz default clock_timestamp()")': DEFAULT,
    'op.execute("alter table t add a int generated always as identity")': DEFAULT,
    'op.add_column("t", sa.Column("a", sa.Text(), nullable=False))': VALUELESS,
    'op.execute("alter table t add column a text not null")': VALUELESS,
    'op.execute("alter table t add a text not null")': VALUELESS,
    'with bypass_row_level_security():\n    op.create_check_constraint("c", "t", "a > 0")': UNVALIDATED,
}
NEW = 'op.create_table("t", sa.Column("a", sa.Integer()))\n'
BRIEF = [
    'op.add_column("t", sa.Column("a", sa.Text()))',
    'op.add_column("t", sa.Column("a", sa.DateTime(), server_default=sa.text("now()"), nullable=False))',
    'op.alter_column("t", "a", nullable=True, server_default="x")',
    'op.create_index("i", "t", ["a"], postgresql_concurrently=True)',
    'create_index_concurrently("i", "t", ["tenant_id", "a"])',
    'op.execute("create index concurrently i on t (a)")',
    'op.create_foreign_key("f", "t", "u", ["a"], ["id"], postgresql_not_valid=True)',
    'op.create_check_constraint("c", "t", "a > 0", postgresql_not_valid=True)',
    'op.execute("alter table t add constraint c check (a > 0) not valid")',
    'with bypass_row_level_security():\n    op.execute("alter table t validate constraint c")',
    'op.execute("alter table t add constraint u unique using index i")',
    'op.execute("alter table t alter column a set default gen_random_uuid()")',
    'op.execute("alter table t drop constraint unique_check")',
    'op.add_column("t", sa.Column("a", sa.Text(), nullable=True))',
    "op.execute(\"alter table t add a text not null default ''\")",
    'op.execute("alter table t add constraint c check (a is not null) not valid")',
    'op.alter_column("t", "a", nullable=False)  # vinc: the check c, which is validated, says the same',
    f'{NEW}op.create_index("i", "t", ["a"])\nop.execute("alter table t add check (a > 0)")',
    'op.execute("create table t (a int); create index on t (a)")',
]


@pytest.mark.parametrize("body", BLOCKING)
def test_a_change_that_keeps_people_waiting_is_found_with_its_line_and_cure(body: str, tmp_path: Path) -> None:
    (found,) = blocking_changes(history_with(body, tmp_path))

    line = 3 + body.count("\n")
    assert found.startswith("a: ")
    assert f"({tmp_path}/versions/one.py:{line}); {BLOCKING[body]}" in found


@pytest.mark.parametrize("body", BRIEF)
def test_a_change_that_is_brief_or_of_an_empty_table_is_not_found(body: str, tmp_path: Path) -> None:
    assert blocking_changes(history_with(body, tmp_path)) == []


def test_what_only_a_downgrade_does_is_not_found(tmp_path: Path) -> None:
    history = history_with("pass", tmp_path)
    with (history.versions / "one.py").open("a") as file:
        file.write('def downgrade():\n    op.create_index("i", "t", ["a"])\n')

    assert blocking_changes(history) == []
