"""What a table made as the pages say keeps apart: rows, keys, views, plans, and at what cost (I1, I3 to I8, I15)."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import Connection, sql
from psycopg.errors import ForeignKeyViolation, InsufficientPrivilege, UniqueViolation

from vinc_kernel.errors import DatabaseError

from .conftest import ACME, GLOBEX, Ground, tenant_table

TABLES = f"""
{tenant_table("a_parent", 'sa.Column("code", sa.Text())', 'sa.UniqueConstraint("tenant_id", "code", name="a_code")')}
op.create_table(
    "a_child",
    sa.Column("tenant_id", sa.Uuid(), nullable=False),
    sa.Column("id", sa.Uuid(), nullable=False),
    sa.Column("name", sa.Text()),
    sa.Column("parent", sa.Uuid()),
    sa.Column("friend", sa.Uuid()),
    sa.PrimaryKeyConstraint("tenant_id", "id", name="a_child_pk"),
    sa.ForeignKeyConstraint(
        ["tenant_id", "parent"], ["a_parent.tenant_id", "a_parent.id"], "a_parent", ondelete="CASCADE"
    ),
    sa.ForeignKeyConstraint(
        ["tenant_id", "friend"], ["a_parent.tenant_id", "a_parent.id"], "a_friend", ondelete="SET NULL (friend)"
    ),
)
enable_row_level_security("a_child")
op.execute("create view a_shown with (security_invoker = true) as select * from a_parent")
"""
SAME, ADD = uuid4(), "insert into a_parent (tenant_id, id, name, code) values (%s, %s, 'n', %s)"


@pytest.fixture
def apart(ground: Ground) -> Ground:
    """Tables in which both tenants have a row of the same id, and a child of that."""
    ground.up(ground.plugin("a", TABLES))
    with ground.connect() as line:
        for tenant in (ACME, GLOBEX):
            line.execute(ADD, (tenant, SAME, "code"))
            line.execute(
                "insert into a_child (tenant_id, id, parent, friend) values (%s, %s, %s, %s)",
                (tenant, SAME, SAME, SAME),
            )
    return ground


@contextmanager
def acting(line: Connection[Any], tenant: UUID) -> Generator[Connection[Any]]:
    """A transaction of the application in the scope of a tenant."""
    with line.transaction():
        line.execute("select set_config('vinc.tenant_id', %s, true)", (str(tenant),))
        yield line


def test_after_a_scope_the_same_connection_sees_and_writes_nothing(apart: Ground) -> None:
    with apart.connect(apart.roles.app) as line:
        with acting(line, ACME):
            assert line.execute("select tenant_id from a_parent").fetchall() == [(ACME,)]

        assert line.execute("select current_setting('vinc.tenant_id', true)").fetchone() == (
            "",
        )  # and not NULL any more
        assert line.execute("select tenant_id from a_parent").fetchall() == []
        with pytest.raises(InsufficientPrivilege):
            line.execute(ADD, (ACME, uuid4(), "more"))


def test_a_plan_that_is_cached_for_good_keeps_no_tenant(apart: Ground) -> None:
    with apart.connect(apart.roles.app) as line:
        line.prepare_threshold = 0
        query = "select tenant_id from a_parent where name = %s"
        for _ in range(8):  # after five PostgreSQL may keep a generic plan
            with acting(line, ACME):
                assert line.execute(query, ("n",)).fetchall() == [(ACME,)]
        with acting(line, GLOBEX):
            assert line.execute(query, ("n",)).fetchall() == [(GLOBEX,)]
        generic = line.execute("select sum(generic_plans) > 0 from pg_prepared_statements").fetchone()

    assert generic == (True,)


def test_what_a_tenant_deletes_takes_nothing_of_another_along(apart: Ground) -> None:
    with apart.connect(apart.roles.app) as line, acting(line, ACME):
        assert line.execute("delete from a_parent").rowcount == 1

    assert apart.rows("select tenant_id from a_parent") == [(GLOBEX,)]
    assert apart.rows("select tenant_id, parent, friend from a_child") == [(GLOBEX, SAME, SAME)]


def test_a_key_that_is_emptied_leaves_the_tenant_alone(apart: Ground) -> None:
    apart.do("update a_child set parent = null")
    with apart.connect(apart.roles.app) as line, acting(line, ACME):
        line.execute("delete from a_parent")

    assert apart.rows("select tenant_id, friend from a_child order by 1") == [(ACME, None), (GLOBEX, SAME)]


def test_another_tenants_row_cannot_be_pointed_at_and_looks_like_none(apart: Ground) -> None:
    theirs = uuid4()
    with apart.connect() as line:
        line.execute(ADD, (GLOBEX, theirs, "theirs"))
    told = []
    with apart.connect(apart.roles.app) as line:
        for unknown in (theirs, uuid4()):
            with pytest.raises(ForeignKeyViolation) as refused, acting(line, ACME):
                line.execute("update a_child set parent = %s", (unknown,))
            told.append(str(refused.value).replace(str(unknown), "ID"))

    assert told[0] == told[1]


@pytest.mark.parametrize("tenants", [(ACME, GLOBEX), (GLOBEX, ACME)])
def test_two_tenants_write_the_same_ids_and_codes_and_neither_learns_of_it(
    apart: Ground, tenants: Sequence[UUID]
) -> None:
    upsert = f"{ADD} on conflict (tenant_id, code) do update set name = 'again'"
    with apart.connect(apart.roles.app) as line:
        for tenant in tenants:
            again = uuid4()
            with acting(line, tenant):
                line.execute(ADD, (tenant, again, "new"))
                assert line.execute(upsert, (tenant, uuid4(), "new")).rowcount == 1
                assert line.execute(f"{ADD} on conflict do nothing", (tenant, SAME, "other")).rowcount == 0
            with pytest.raises(UniqueViolation), acting(line, tenant):
                line.execute(ADD, (tenant, SAME, "third"))

    assert apart.rows("select count(*), count(distinct tenant_id) from a_parent where name = 'again'") == [(2, 2)]


def test_a_view_shows_each_tenant_its_own_rows(apart: Ground) -> None:
    with apart.connect(apart.roles.app) as line:
        for tenant in (ACME, GLOBEX):
            with acting(line, tenant):
                assert line.execute("select tenant_id from a_shown").fetchall() == [(tenant,)]

        assert line.execute("select * from a_shown").fetchall() == []


def test_the_platform_is_entered_for_one_transaction_and_never_inherited(apart: Ground) -> None:
    enter = sql.SQL("set local role {}").format(sql.Identifier(apart.roles.platform))
    with apart.connect(apart.roles.app) as line:
        with line.transaction():
            line.execute(enter)
            assert line.execute("select count(*) from a_parent").fetchone() == (2,)

        assert line.execute("select current_user::text").fetchone() == (apart.roles.app,)
        assert line.execute("select count(*) from a_parent").fetchone() == (0,)
        inherits = "select inherit_option from pg_auth_members where member = %s::regrole"
        assert line.execute(inherits, (apart.roles.app,)).fetchall() == [(False,)]


MANY = """
insert into a_parent (tenant_id, name, code)
select ('00000000-0000-7000-8000-' || lpad(to_hex(1000 + n % 200), 12, '0'))::uuid, 'n', n::text
from generate_series(1, 20000) n;
vacuum analyze a_parent
"""
ONE = UUID("00000000-0000-7000-8000-0000000003e9")


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("select count(*) from a_parent", "Index Cond: (tenant_id = (InitPlan 1).col1)"),
        ("select * from a_parent order by id limit 50", "Index Cond: (tenant_id = (InitPlan 1).col1)"),
        ("select * from a_parent where id = '{id}'", "Index Cond: ((tenant_id = (InitPlan 1).col1) AND (id = "),
        ("select * from a_parent where code = '7'", "Index Cond: ((tenant_id = (InitPlan 1).col1) AND (code = "),
    ],
)
def test_reading_as_a_tenant_uses_the_index_and_asks_for_the_scope_once(
    apart: Ground, query: str, condition: str
) -> None:
    with apart.connect() as admin:
        for statement in MANY.split(";"):
            admin.execute(statement.encode())
        row = admin.execute("select id from a_parent where tenant_id = %s limit 1", (ONE,)).fetchone()
    with apart.connect(apart.roles.app) as line, acting(line, ONE):
        assert line.execute("select count(*) from a_parent").fetchone() == (100,)
        explain = f"explain {query.format(id=row[0] if row else '')}"
        plan = [step for (step,) in line.execute(explain.encode()).fetchall()]

    assert sum("InitPlan 1" in step for step in plan) > 0
    # PostgreSQL 16 writes `$0` for the first of these
    assert any(condition in step.replace("$0", "(InitPlan 1).col1") for step in plan), plan
    assert not any("Seq Scan" in step for step in plan), plan


def test_a_downgrade_that_leaves_a_tenants_table_open_is_refused(ground: Ground) -> None:
    """Dropped by the second revision, made again without its policies by the way back."""
    guarded, bare = tenant_table("aa_t"), tenant_table("aa_t", protected=False)
    history = ground.plugin("aa", guarded, ('op.drop_table("aa_t")', bare))
    ground.up(history)

    with pytest.raises(DatabaseError, match=r"^aa: revision aa2 .*aa_t: row level security is not enabled"):
        ground.down(history, "aa1")

    assert ground.current(history) == {"aa": "aa2"}
    assert ground.rows("select to_regclass('aa_t')") == [(None,)]
