"""Each plugin has a history, a place and tables of its own, whatever happens to the others (M4, M5)."""

import psycopg
import pytest

from vinc_kernel.database.versions import History, RevisionState, read_states, revisions
from vinc_kernel.errors import DatabaseError
from vinc_migrations.check import check
from vinc_migrations.run import upgrade
from vinc_testing.servers import conninfo

from .conftest import Ground, tenant_table


def table(name: str) -> tuple[str, str]:
    return tenant_table(name), f"op.drop_table({name!r})"


def tables(ground: Ground) -> list[str]:
    query = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1"
    return [name for (name,) in ground.rows(query) if not name.startswith("vinc_")]


def test_each_step_is_told_in_a_line_and_the_second_time_there_is_none(ground: Ground) -> None:
    one, two = ground.plugin("invoices", table("invoices_invoice"), "pass"), ground.plugin("agents", "pass")

    ground.up(one, two)
    ground.up(one, two)

    assert [line for line in ground.told if not line.startswith("kernel: ")] == [
        "invoices: base -> invoices1 Step 1.",
        "invoices: invoices1 -> invoices2 Step 2.",
        "agents: base -> agents1 Step 1.",
    ]


def test_a_failing_revision_leaves_its_plugin_at_the_last_good_one_and_the_others_alone(ground: Ground) -> None:
    first = ground.plugin("agents", table("agents_agent"))
    second = ground.plugin("invoices", table("invoices_invoice"), f"{tenant_table('invoices_part')}\n1 / 0")
    third = ground.plugin("orders", table("orders_order"))

    with pytest.raises(DatabaseError) as refused:
        ground.up(first, second, third)

    assert str(refused.value) == ("invoices: revision invoices2 (invoices2.py): ZeroDivisionError: division by zero")
    assert ground.current(first, second, third) == {"agents": "agents1", "invoices": "invoices1", "orders": "orders1"}
    assert tables(ground) == ["agents_agent", "invoices_invoice", "orders_order"]


def test_a_revision_that_cannot_be_imported_is_named(ground: Ground) -> None:
    history = ground.plugin("invoices", "pass")
    (history.versions / "invoices1.py").write_text(
        'revision = "invoices1"\ndown_revision = None\nimport nothing_of_that_name\n'
    )

    with pytest.raises(
        DatabaseError, match=r"^invoices: revision invoices1: ModuleNotFoundError: No module named 'nothing_o"
    ):
        ground.up(history)


def test_plugins_whose_names_begin_alike_keep_their_tables_apart(ground: Ground) -> None:
    user = ground.plugin("user", table("user_card"))
    users = ground.plugin("users", table("users_extra_x"), table("users_user"))
    ground.up(user, users)
    assert dict(ground.rows("select name, plugin from vinc_table")) == {
        "user_card": "user",
        "users_extra_x": "users",
        "users_user": "users",
    }

    ground.down(user)

    assert tables(ground) == ["users_extra_x", "users_user"]
    assert ground.current(user, users) == {"user": None, "users": "users2"}


def test_going_back_never_drops_what_belongs_to_another_plugin(ground: Ground) -> None:
    one = ground.plugin("agents", (tenant_table("agents_agent"), 'op.execute("drop table agents_agent, orders_order")'))
    two = ground.plugin("orders", table("orders_order"))
    ground.up(one, two)

    with pytest.raises(DatabaseError, match="it drops orders_order, which belongs to orders; leave it"):
        ground.down(one)

    assert tables(ground) == ["agents_agent", "orders_order"]


@pytest.mark.parametrize("name", ["orders_part", "vinc_more"])
def test_a_table_that_is_not_named_after_its_plugin_is_refused(ground: Ground, name: str) -> None:
    with pytest.raises(
        DatabaseError, match=f"it makes {name}, which is not named after the plugin; begin its name with 'agents_'"
    ):
        ground.up(ground.plugin("agents", table(name)))

    assert tables(ground) == []


# The same checks as at a start, where test_startup_checks.py has more cases; those of keys are of upgrades only.
WRONG = {
    "not protected": (
        tenant_table("a_t", protected=False),
        "row level security is not enabled; call enable_row_level_security",
    ),
    "tenant_id may be null": (
        'op.execute("create table a_t (tenant_id uuid, n int)")\nenable_row_level_security("a_t")',
        "tenant_id may be null",
    ),
    "unique across tenants": (
        f'{tenant_table("a_t")}\nop.execute("create unique index a_u on a_t (name)")',
        "the unique index a_u does not begin with tenant_id",
    ),
    "a sequence that the application may not use": (
        'op.create_table("a_t", sa.Column("n", sa.Integer(), primary_key=True))',
        "the sequence a_t_n_seq is not granted to the application; use sa.Identity()",
    ),
    "a key that would empty tenant_id": (
        tenant_table(
            "a_t",
            'sa.Column("o", sa.Uuid())',
            'sa.ForeignKeyConstraint(["tenant_id", "o"], ["a_t.tenant_id", "a_t.id"], "a_key", ondelete="SET NULL")',
        ),
        "the foreign key a_key would empty tenant_id",
    ),
    "a view of the owner's": (
        f'{tenant_table("a_t")}\nop.execute("create view a_v as select * from a_t")',
        "the view a_v runs as its owner",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_revision_that_leaves_tenants_unprotected_is_rolled_back(ground: Ground, wrong: str) -> None:
    body, complaint = WRONG[wrong]
    history = ground.plugin("a", body)

    with pytest.raises(DatabaseError) as refused:
        ground.up(history)

    assert complaint in str(refused.value)
    assert tables(ground) == []


def test_a_restrictive_policy_only_narrows_and_is_allowed(ground: Ground) -> None:
    narrow = "op.execute(\"create policy active on a_t as restrictive using (name <> '')\")"

    ground.up(ground.plugin("a", f"{tenant_table('a_t')}\n{narrow}"))


def test_a_database_of_a_newer_plugin_is_not_touched(ground: Ground) -> None:
    history = ground.plugin("agents", "pass", "pass")
    ground.up(history)
    (history.versions / "agents2.py").unlink()

    with pytest.raises(
        DatabaseError, match=r"^agents: the database is at agents2, which is not in .*; install the version"
    ):
        ground.up(history)


async def test_a_start_learns_without_alembic_who_is_behind(ground: Ground) -> None:
    one, two = ground.plugin("agents", "pass", "pass"), ground.plugin("orders", "pass")
    histories = {"agents": revisions(one), "orders": revisions(two)}
    ground.up(one, target="agents1")
    async with await psycopg.AsyncConnection.connect(conninfo(ground.url(ground.roles.app))) as connection:
        states = await read_states(connection, histories)
        assert states == [
            RevisionState(plugin="agents", at="agents1", revisions=("agents1", "agents2")),
            RevisionState(plugin="orders", at=None, revisions=("orders1",)),
        ]
        assert [state.is_behind for state in states] == [True, True]
        await connection.rollback()
        ground.up(one, two)
        assert [state.is_behind for state in await read_states(connection, histories)] == [False, False]
        assert await read_states(connection, {}) == []


async def test_a_role_that_may_not_read_the_version_tables_is_named_with_the_cure(ground: Ground) -> None:
    history = ground.plugin("agents", "pass")
    ground.up(history)
    ground.do(f"revoke all on vinc_version_agents from {ground.roles.app}, public")
    async with await psycopg.AsyncConnection.connect(
        conninfo(ground.url(ground.roles.app)), autocommit=True
    ) as connection:
        with pytest.raises(DatabaseError) as refused:
            await read_states(connection, {"agents": revisions(history)})

    assert str(refused.value) == (
        f"the role {ground.roles.app} may not read the version tables "
        "(permission denied for table vinc_version_agents); "
        "correct VINC_DATABASE_URL, which takes the role for the application, or run: vinc db init"
    )


def test_two_revisions_that_follow_the_same_one_are_refused(ground: Ground) -> None:
    history = ground.plugin("agents", "pass", "pass")
    (history.versions / "other.py").write_text('revision: str = "other"\ndown_revision: str | None = "agents1"\n')

    with pytest.raises(DatabaseError, match=r"^agents: revision other and agents2 both follow agents1 "):
        revisions(history)


def test_a_history_is_found_without_importing_the_plugin() -> None:
    from vinc_kernel.database.versions import history_of

    found = history_of("tenants", "vinc_tenants")

    assert isinstance(found, History)
    assert found.versions.is_dir()
    assert history_of("json", "json") is None
    assert history_of("nothing", "nothing_of_that_name") is None


def test_a_connection_that_is_cut_is_one_line(ground: Ground) -> None:
    cut = 'with bypass_row_level_security():\n    op.execute("select pg_terminate_backend(pg_backend_pid())")'
    history = ground.plugin("invoices", cut)

    with pytest.raises(DatabaseError, match=r"^invoices: revision invoices1 \(invoices1.py\): terminating connection"):
        ground.up(history)


def test_an_upgrade_never_goes_down_and_a_downgrade_never_up(ground: Ground) -> None:
    history = ground.plugin("agents", "pass", "pass")
    ground.up(history, target="agents1")

    with pytest.raises(DatabaseError, match=r"^agents: base is the other way from agents1; use vinc db downgrade$"):
        ground.up(history, target="base")
    with pytest.raises(DatabaseError, match=r"^agents: agents2 is the other way from agents1; use vinc db upgrade$"):
        ground.down(history, "agents2")

    assert ground.current(history) == {"agents": "agents1"}


BROKEN = {
    "two heads": ("revision = 'two'\ndown_revision = None\n", "revision bb1 and two both follow the beginning"),
    "no parent": ("revision = 'two'\ndown_revision = 'lost'\n", "revision two is not reached from the first"),
    "long id": (f"revision = '{'x' * 33}'\ndown_revision = 'bb1'\n", "has more than 32 characters"),
    "syntax": ("revision = 'two'\ndown_revision = 'bb1'\ndef upgrade(:\n", "SyntaxError"),
    "latin-1": ("revision = 'two'\ndown_revision = 'bb1'\n# caf\xe9\n", "make it a Python module in UTF-8"),
    "exit": ("revision = 'two'\ndown_revision = 'bb1'\nraise SystemExit(0)\n", "SystemExit: 0"),
    "failing": (
        "revision = 'two'\ndown_revision = 'bb1'\ndef upgrade():\n    raise RuntimeError('no')\n",
        "RuntimeError: no",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_history_stops_only_those_that_need_its_plugin(ground: Ground, kind: str) -> None:
    source, what = BROKEN[kind]
    first, broken = ground.plugin("aa", table("aa_t")), ground.plugin("bb", table("bb_t"))
    needing, last = ground.plugin("cc", table("cc_t")), ground.plugin("dd", table("dd_t"))
    indirect = ground.plugin("ee", table("ee_t"))
    (broken.versions / "a_two.py").write_text(source, "latin-1")

    with pytest.raises(DatabaseError) as refused:
        upgrade(
            ground.url(ground.roles.migrator),
            [first, broken, needing, last, indirect],
            ground.options,
            needs={"cc": ("bb",), "ee": ("cc",)},
        )

    line, *others = str(refused.value).splitlines()
    assert line.startswith("bb: ")
    assert what in line
    assert others == ["cc: it needs bb, so it was left as it is", "ee: it needs cc, so it was left as it is"]
    assert set(tables(ground)) - {"bb_t"} == {"aa_t", "dd_t"}
    assert any(
        line.startswith("bb: ") for line in check(ground.url(ground.roles.migrator), [broken], {}, ground.options)
    )
