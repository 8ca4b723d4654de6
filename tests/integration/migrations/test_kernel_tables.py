"""The kernel's own tables have a history like a plugin's, run first; the application may do what is named."""

import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from vinc_kernel.database.versions import KERNEL_REVISIONS
from vinc_kernel.errors import DatabaseError
from vinc_migrations.check import check
from vinc_migrations.find import KERNEL_HISTORY
from vinc_migrations.prepare import prepare

from .conftest import Ground, tenant_table

COUNT = "insert into vinc_change (topic) values ('a.b') on conflict (topic) do update set number = excluded.number + 1"
# As the versions before this history made them.
OLDER = """
set role {owner};
create table public.vinc_table (name text primary key, plugin text not null);
create table public.vinc_change (topic text primary key, number bigint not null default 0);
create table public.vinc_version_agents (version_num varchar(32) primary key);
insert into public.vinc_version_agents values ('agents1');
insert into public.vinc_table values ('agents_agent', 'agents');
insert into public.vinc_change values ('agents', 7);
"""
BEHIND = f"kernel: the database is at base, not at {KERNEL_REVISIONS[-1]}; run: vinc db upgrade"


def findings(ground: Ground) -> list[str]:
    return check(ground.url(ground.roles.migrator), [], {}, ground.options)


def test_an_upgrade_without_any_plugin_makes_them(ground: Ground) -> None:
    ground.up()

    assert ground.rows("select * from vinc_change", ground.roles.app) == []
    assert ground.current(KERNEL_HISTORY) == {"kernel": KERNEL_REVISIONS[-1]}
    assert findings(ground) == []


def test_a_database_of_an_older_version_keeps_its_rows(ground: Ground) -> None:
    history = ground.plugin("agents", tenant_table("agents_agent"), "pass")
    ground.up(history, target="agents1")
    ground.fill("agents_agent")
    ground.do("drop table vinc_table, vinc_change, vinc_version_kernel, vinc_version_agents")
    ground.do(OLDER.format(owner=ground.roles.owner))
    prepare(ground.servers.postgres, ground.name, ground.roles, {})
    missing = findings(ground)

    ground.up(history)

    assert missing == [f"kernel: the database is at base, not at {KERNEL_REVISIONS[-1]}; run vinc db upgrade"]
    assert ground.current(KERNEL_HISTORY, history) == {"kernel": KERNEL_REVISIONS[-1], "agents": "agents2"}
    assert ground.rows("select * from vinc_change") == [("agents", 7)]
    assert ground.rows("select name, plugin, append_only from vinc_table") == [("agents_agent", "agents", False)]
    assert ground.rows("select count(*) from agents_agent") == [(4,)]
    assert findings(ground) == []


async def test_production_refuses_to_start_on_older_ones_and_elsewhere_it_is_a_warning(
    ground: Ground, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DatabaseError) as refused:
        await ground.start()
    await ground.start(production=False)
    ground.up()
    await ground.start()
    ground.do("update vinc_version_kernel set version_num = 'newer'")
    await ground.start()

    assert str(refused.value) == BEHIND
    assert caplog.messages == [BEHIND]


async def test_a_start_without_the_record_of_tables_is_refused_in_one_line(ground: Ground) -> None:
    ground.up()
    ground.do("drop table vinc_table")

    with pytest.raises(DatabaseError, match=r'^relation "public.vinc_table" does not exist: the kernel\'s table is'):
        await ground.start(production=False)


@pytest.mark.parametrize("role", ["app", "platform"])
def test_the_application_counts_changes_and_takes_none_away(ground: Ground, role: str) -> None:
    ground.up()
    with ground.connect(ground.roles.app) as line:
        line.execute(sql.SQL("set role {}").format(sql.Identifier(ground.roles.names[role])))
        line.execute(COUNT)
        line.execute(COUNT)

        assert line.execute("select topic, number from vinc_change").fetchall() == [("a.b", 1)]
        with pytest.raises(InsufficientPrivilege):
            line.execute("delete from vinc_change")


def test_what_more_is_granted_on_the_table_of_changes_is_found(ground: Ground) -> None:
    ground.up()
    ground.do(f"grant delete on vinc_change to {ground.roles.app}")

    assert findings(ground) == [f"vinc_change has the grants {ground.roles.app} delete too many; run vinc db init"]
