"""The kernel's own tables: every upgrade makes them where they are missing; the application may do what is named."""

import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from vinc_migrations.check import check

from .conftest import Ground

COUNT = "insert into vinc_change (topic) values ('a.b') on conflict (topic) do update set number = excluded.number + 1"


def test_an_upgrade_without_any_plugin_makes_them(ground: Ground) -> None:
    ground.up()

    assert ground.rows("select * from vinc_change", ground.roles.app) == []
    assert check(ground.url(ground.roles.migrator), [], {}, ground.how) == []


def test_a_database_of_an_older_version_gets_the_table_of_changes_with_no_revision_to_run(ground: Ground) -> None:
    history = ground.plugin("agents", "pass")
    ground.up(history)
    ground.do("drop table vinc_change")
    missing = check(ground.url(ground.roles.migrator), [history], {}, ground.how)

    ground.up(history)

    assert missing == ["vinc_change: the kernel's table is missing; run vinc db upgrade"]
    assert check(ground.url(ground.roles.migrator), [history], {}, ground.how) == []


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

    found = check(ground.url(ground.roles.migrator), [], {}, ground.how)

    assert found == [f"vinc_change has the grants {ground.roles.app} delete too many; run vinc db init"]
