"""Who migrates is alone, directly and through a pooler, and never in the way of those who read (M6, M7, M9)."""

import threading
import time
from dataclasses import replace

import psycopg
import pytest

from vinc_kernel.errors import DatabaseError
from vinc_migrations.connection import MigrationOptions
from vinc_migrations.run import upgrade
from vinc_testing.servers import conninfo

from .conftest import HURRIED, Ground, tenant_table, wait_for

SLOW = f'{tenant_table("invoices_invoice")}\nop.execute("select pg_sleep(0.6)")'
TABLE = tenant_table("invoices_invoice")
ENDLESS = f'{TABLE}\nop.execute("select pg_sleep(120)")'
SLEEPING = "select count(*) from pg_stat_activity where datname = current_database() and query like '%pg_sleep(120)%'"
SLEEPERS = f"{SLEEPING} and pid <> pg_backend_pid()"
HELD = """
select count(*) from pg_locks join pg_database d on d.oid = database and datname = current_database()
where locktype = 'advisory'
"""


@pytest.fixture(params=["directly", "through a pooler"])
def line(ground: Ground, request: pytest.FixtureRequest) -> str:
    """The migrator's address."""
    if request.param == "directly":
        return ground.url(ground.roles.migrator)
    url: str = request.getfixturevalue("pooled")
    return url


def test_of_two_that_migrate_at_once_one_does_it_and_the_other_finds_it_done(ground: Ground, line: str) -> None:
    history = ground.plugin("invoices", SLOW, 'op.add_column("invoices_invoice", sa.Column("more", sa.Text()))')

    running = [ground.start_upgrade(history, line) for _ in range(2)]
    for process in running:
        process.join(60)

    assert [process.exitcode for process in running] == [0, 0]
    assert ground.current(history) == {"invoices": "invoices2"}


def test_after_one_that_was_killed_the_next_one_runs(ground: Ground, line: str) -> None:
    history = ground.plugin("invoices", ENDLESS)
    process = ground.start_upgrade(history, line)
    wait_for(lambda: ground.rows(SLEEPERS) == [(1,)])

    process.kill()
    process.join(10)

    wait_for(lambda: ground.rows(SLEEPERS) == [(0,)])
    (history.versions / "invoices1.py").write_text((history.versions / "invoices1.py").read_text().replace("120", "0"))
    ground.up(history)
    assert ground.current(history) == {"invoices": "invoices1"}
    wait_for(lambda: ground.rows(HELD) == [(0,)])


def test_nothing_of_a_migration_stays_behind_on_the_connection_of_a_pooler(ground: Ground, pooled: str) -> None:
    upgrade(pooled, [ground.plugin("invoices", TABLE)], ground.options)

    with psycopg.connect(conninfo(pooled), autocommit=True, prepare_threshold=None) as connection:
        found = connection.execute(
            "select current_user, current_setting('row_security'), current_setting('lock_timeout')"
        ).fetchone()
    assert found == (ground.roles.migrator, "on", "0")
    wait_for(lambda: ground.rows(HELD) == [(0,)])


def test_who_waits_too_long_for_another_process_is_told_so(ground: Ground) -> None:
    history = ground.plugin("invoices", ENDLESS)
    process = ground.start_upgrade(history)
    wait_for(lambda: ground.rows(SLEEPERS) == [(1,)])
    try:
        with pytest.raises(DatabaseError, match=r"^kernel: another process has been migrating for 0.3 s; try again"):
            upgrade(ground.url(ground.roles.migrator), [history], replace(ground.options, turn_timeout=0.3))
    finally:
        process.kill()
        process.join(10)


def test_a_lock_is_waited_for_two_seconds_by_default() -> None:
    assert MigrationOptions().lock_timeout == 2


def test_an_open_reader_makes_a_migration_fail_in_time_and_holds_up_no_other_reader(ground: Ground) -> None:
    history = ground.plugin("invoices", TABLE)
    ground.up(history)
    ground.add(history, 'op.add_column("invoices_invoice", sa.Column("more", sa.Text()))')
    waits: list[float] = []
    done = threading.Event()

    def read() -> None:
        with ground.connect(ground.roles.app) as connection:
            while not done.is_set():
                began = time.monotonic()
                connection.execute("select count(*) from invoices_invoice")
                waits.append(time.monotonic() - began)
                time.sleep(0.01)

    reader = threading.Thread(target=read)
    with ground.connect(ground.roles.app) as idle, idle.transaction():
        idle.execute("select count(*) from invoices_invoice")
        reader.start()
        began = time.monotonic()
        with pytest.raises(
            DatabaseError, match=r"invoices2.*lock timeout; somebody holds the table, see pg_stat_activity"
        ):
            ground.up(history)
        took = time.monotonic() - began
        done.set()
        reader.join()

    most = HURRIED.lock_attempts * (HURRIED.lock_timeout + HURRIED.retry_delay)
    assert took < most + 1.5
    assert HURRIED.lock_timeout / 2 < max(waits) < HURRIED.lock_timeout + 0.5
    assert ground.current(history) == {"invoices": "invoices1"}
    ground.up(history)
    assert ground.current(history) == {"invoices": "invoices2"}


def test_a_migration_gets_through_when_the_reader_leaves_between_two_attempts(ground: Ground) -> None:
    history = ground.plugin("invoices", TABLE)
    ground.up(history)
    ground.add(history, 'op.add_column("invoices_invoice", sa.Column("more", sa.Text()))')
    with ground.connect(ground.roles.app) as idle:
        idle.execute("begin")
        idle.execute("select count(*) from invoices_invoice")

        def leave(line: str) -> None:
            ground.told.append(line)
            idle.execute("commit")

        options = replace(ground.options, report=leave)
        upgrade(ground.url(ground.roles.migrator), [history], options)

    assert any("attempt 2 of 3" in line for line in ground.told)
    assert ground.current(history) == {"invoices": "invoices2"}


INDEX = 'create_index_concurrently("uq_name", "invoices_invoice", ["tenant_id", "name"], unique=True)'
STATE = "select indisvalid, indisunique from pg_index where indexrelid = to_regclass('public.uq_name')"


def test_an_index_is_made_beside_the_traffic_and_a_failed_attempt_leaves_none(ground: Ground) -> None:
    history = ground.plugin("invoices", TABLE)
    ground.up(history)
    ground.fill("invoices_invoice")
    ground.do("insert into invoices_invoice (tenant_id, name) select tenant_id, name from invoices_invoice limit 1")
    ground.add(history, INDEX)

    with pytest.raises(DatabaseError, match=r"revision invoices2 .*could not create unique index"):
        ground.up(history)

    assert ground.rows(STATE) == []
    ground.do("delete from invoices_invoice")
    ground.up(history)
    assert ground.rows(STATE) == [(True, True)]
    wait_for(lambda: ground.rows(HELD) == [(0,)])
    assert ground.current(history) == {"invoices": "invoices2"}


def test_an_invalid_index_that_a_killed_attempt_has_left_is_made_again(ground: Ground) -> None:
    history = ground.plugin("invoices", TABLE)
    ground.up(history)
    ground.do("create unique index uq_name on invoices_invoice (tenant_id, name)")
    ground.do("update pg_index set indisvalid = false where indexrelid = 'uq_name'::regclass")
    ground.add(history, INDEX)

    ground.up(history)

    assert ground.rows(STATE) == [(True, True)]


def test_an_index_that_a_killed_attempt_has_finished_is_kept(ground: Ground) -> None:
    history = ground.plugin("invoices", TABLE)
    ground.up(history)
    ground.do("create unique index uq_name on invoices_invoice (tenant_id, name)")
    before = ground.rows("select 'uq_name'::regclass::oid")
    ground.add(history, INDEX)

    ground.up(history)

    assert ground.rows("select 'uq_name'::regclass::oid") == before


def test_an_index_beside_the_traffic_stands_in_a_revision_of_its_own(ground: Ground) -> None:
    history = ground.plugin("invoices", f"{TABLE}\n{INDEX}")

    with pytest.raises(DatabaseError, match="index uq_name: it follows other changes; give it a revision of its own"):
        ground.up(history)

    assert ground.current(history) == {"invoices": None}


def test_two_that_make_an_index_at_once_do_not_wait_for_each_other_forever(ground: Ground) -> None:
    history = ground.plugin("invoices", TABLE)
    ground.up(history)
    ground.fill("invoices_invoice", each=20_000)
    ground.add(history, INDEX)

    running = [ground.start_upgrade(history) for _ in range(3)]
    for process in running:
        process.join(60)

    assert [process.exitcode for process in running] == [0, 0, 0]
    assert ground.rows(STATE) == [(True, True)]


def test_an_index_beside_the_traffic_is_refused_behind_a_pooler(ground: Ground, pooled: str) -> None:
    history = ground.plugin("invoices", TABLE)
    ground.up(history)
    ground.add(history, INDEX)

    with pytest.raises(
        DatabaseError, match="a pooler is in the way; set VINC_DATABASE_MIGRATION_URL to the server itse"
    ):
        upgrade(pooled, [history], ground.options)
