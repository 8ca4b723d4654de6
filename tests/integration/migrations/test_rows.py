"""Row level security binds the owner of the tables as well: steps that touch rows see all of them, or fail (M1, M2)."""

from collections.abc import Generator

import pytest

from vinc_kernel.errors import DatabaseError

from .conftest import ACME, GLOBEX, Ground, tenant_table

TABLE = (tenant_table("invoices_invoice"), 'op.drop_table("invoices_invoice")')
FILL_IN = """
op.add_column("invoices_invoice", sa.Column("short", sa.Text()))
with data_migration(expect={expect!r}):
    op.execute("update invoices_invoice set short = left(name, 1)")
op.alter_column("invoices_invoice", "short", nullable=False)
"""
ALL = "select count(*) from invoices_invoice"


@pytest.fixture(params=[True, False], ids=["bypasses", "plain"])
def any_migrator(ground: Ground, request: pytest.FixtureRequest) -> Generator[Ground]:
    """The migrator with the right to bypass row level security, and without."""
    ground.do(f'alter role "{ground.roles.migrator}" {"" if request.param else "no"}bypassrls')
    yield ground
    ground.do(f'alter role "{ground.roles.migrator}" bypassrls')


@pytest.mark.parametrize("expect", [4, ALL])
def test_a_data_step_touches_the_rows_of_every_tenant(any_migrator: Ground, expect: int | str) -> None:
    history = any_migrator.plugin("invoices", TABLE)
    any_migrator.up(history)
    any_migrator.fill("invoices_invoice")
    any_migrator.add(history, FILL_IN.format(expect=expect))

    any_migrator.up(history)

    assert any_migrator.rows("select count(*) from invoices_invoice where short = 'n'") == [(4,)]
    forced = "select relrowsecurity, relforcerowsecurity from pg_class where relname = 'invoices_invoice'"
    assert any_migrator.rows(forced) == [(True, True)]


def test_a_data_step_in_the_revision_that_makes_the_table_works(any_migrator: Ground) -> None:
    row = f"insert into invoices_invoice (tenant_id, name) values ('{ACME}', 'a'), ('{GLOBEX}', 'b')"
    history = any_migrator.plugin("invoices", f"{TABLE[0]}\nwith data_migration(expect=2):\n    op.execute({row!r})")

    any_migrator.up(history)

    assert any_migrator.rows(ALL) == [(2,)]


def test_another_number_of_rows_than_expected_rolls_the_revision_back(any_migrator: Ground) -> None:
    history = any_migrator.plugin("invoices", TABLE)
    any_migrator.up(history)
    any_migrator.fill("invoices_invoice")
    any_migrator.add(history, FILL_IN.format(expect=3))

    with pytest.raises(DatabaseError) as refused:
        any_migrator.up(history)

    assert str(refused.value) == (
        "invoices: revision invoices2 (invoices2.py): a data step touched 4 rows, not 3; look at its conditions"
    )
    assert any_migrator.current(history) == {"invoices": "invoices1"}
    column = "select count(*) from pg_attribute where attname = 'short' and attrelid = 'invoices_invoice'::regclass"
    assert any_migrator.rows(column) == [(0,)]


@pytest.mark.parametrize(
    "statement",
    [
        "update invoices_invoice set name = upper(name)",
        "delete from invoices_invoice",
        "create table invoices_copy as select * from invoices_invoice",
        "select count(*) from invoices_invoice",
    ],
)
def test_a_statement_outside_of_a_data_step_fails_and_does_not_silently_see_no_rows(
    any_migrator: Ground, statement: str
) -> None:
    history = any_migrator.plugin("invoices", TABLE)
    any_migrator.up(history)
    any_migrator.fill("invoices_invoice")
    any_migrator.add(history, f"op.execute({statement!r})")

    with pytest.raises(DatabaseError, match=r"row-level security.*; put it into `with data_migration\(expect=n\):`"):
        any_migrator.up(history)

    assert any_migrator.rows(ALL) == [(4,)]


PART = tenant_table("invoices_part", 'sa.Column("invoice", sa.Uuid(), nullable=False)')
KEY = """
op.create_foreign_key(
    "fk_part", "invoices_part", "invoices_invoice", ["tenant_id", "invoice"], ["tenant_id", "id"]
)
"""
INTO_PARTS = "insert into invoices_part (tenant_id, name, invoice) select tenant_id, name, id from invoices_invoice"
ORPHAN = f"insert into invoices_part (tenant_id, name, invoice) values ('{ACME}', 'lost', gen_random_uuid())"


@pytest.mark.parametrize("orphans", [0, 1])
def test_a_foreign_key_is_validated_against_the_rows_of_every_tenant(any_migrator: Ground, orphans: int) -> None:
    history = any_migrator.plugin("invoices", TABLE, PART)
    any_migrator.up(history)
    any_migrator.fill("invoices_invoice")
    any_migrator.do(INTO_PARTS)
    any_migrator.add(history, f"with bypass_row_level_security():{KEY.replace(chr(10), chr(10) + '    ')}")
    if orphans:
        any_migrator.do(ORPHAN)
        with pytest.raises(DatabaseError, match=r"revision invoices3 .*violates foreign key constraint"):
            any_migrator.up(history)
    else:
        any_migrator.up(history)

    validated = "select convalidated from pg_constraint where conname = 'fk_part'"
    assert any_migrator.rows(validated) == [(True,)] * (1 - orphans)


def test_a_foreign_key_that_would_not_look_at_the_rows_is_refused(any_migrator: Ground) -> None:
    history = any_migrator.plugin("invoices", TABLE, PART)
    any_migrator.up(history)
    any_migrator.fill("invoices_invoice")
    any_migrator.do(ORPHAN)
    any_migrator.add(history, KEY)

    with pytest.raises(
        DatabaseError, match=r"row-level security.*constraints into `with bypass_row_level_security\(\):`"
    ):
        any_migrator.up(history)


def test_what_is_made_in_a_data_step_would_have_the_wrong_owner_and_is_refused(ground: Ground) -> None:
    revision = 'with bypass_row_level_security():\n    op.execute("create view invoices_all as select 1")'
    history = ground.plugin("invoices", revision)

    with pytest.raises(DatabaseError, match="it makes invoices_all as the migrator"):
        ground.up(history)


def test_revisions_go_up_down_and_up_again_with_rows_of_two_tenants(any_migrator: Ground) -> None:
    history = any_migrator.plugin(
        "invoices", TABLE, (FILL_IN.format(expect=ALL), 'op.drop_column("invoices_invoice", "short")')
    )
    any_migrator.up(history, target="invoices1")
    any_migrator.fill("invoices_invoice")

    any_migrator.up(history)
    any_migrator.down(history, "invoices1")
    any_migrator.up(history)

    assert any_migrator.rows(ALL) == [(4,)]
    any_migrator.down(history)
    assert any_migrator.rows("select * from vinc_table") == []
    any_migrator.up(history)
    assert any_migrator.current(history) == {"invoices": "invoices2"}


def test_a_table_becomes_a_tenants_and_stops_being_one(ground: Ground) -> None:
    plain = 'op.create_table("a_t", sa.Column("name", sa.Text(), primary_key=True))'
    owned = f"""
op.add_column("a_t", sa.Column("tenant_id", sa.Uuid()))
with data_migration(expect="select count(*) from a_t"):
    op.execute("update a_t set tenant_id = '{ACME}'")
op.alter_column("a_t", "tenant_id", nullable=False)
op.drop_constraint("a_t_pkey", "a_t")
op.create_primary_key("a_t_pkey", "a_t", ["tenant_id", "name"])
enable_row_level_security("a_t")
"""
    shared = """
disable_row_level_security("a_t")
op.drop_constraint("a_t_pkey", "a_t")
op.drop_column("a_t", "tenant_id")
op.create_primary_key("a_t_pkey", "a_t", ["name"])
"""
    history = ground.plugin("a", plain, (owned, shared))
    ground.up(history, target="a1")
    ground.do("insert into a_t values ('kept')")
    seen = []
    for move in (lambda: ground.up(history), lambda: ground.down(history, "a1"), lambda: ground.up(history)):
        move()
        seen.append(ground.rows("select count(*) from a_t", ground.roles.app))

    assert seen == [[(0,)], [(1,)], [(0,)]]
    assert ground.rows("select tenant_id, name from a_t") == [(ACME, "kept")]
