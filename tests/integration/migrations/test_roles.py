"""`vinc db init`: five roles with exactly their rights, made by whoever may, printed for whoever may not (I4, I9)."""

from collections.abc import Generator
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.errors import InsufficientPrivilege

from vinc_kernel.database.roles import Roles
from vinc_kernel.errors import DatabaseError
from vinc_migrations.prepare import Prepared, prepare
from vinc_testing.servers import Servers, conninfo

from .conftest import Ground, tenant_table


@dataclass
class Cluster:
    """A server on which this database and these roles do not exist yet."""

    servers: Servers
    database: str
    roles: Roles
    superuser: Connection[Any]

    def user(self, rights: str) -> str:
        """The address of a new user with these rights."""
        name = f"{self.database}_{token_hex(3)}"
        self.superuser.execute(sql.SQL("create role {} login password 'x' " + rights).format(sql.Identifier(name)))
        return self.servers.database("postgres", name, "x")

    def init(self, url: str | None = None, passwords: dict[str, str] | None = None) -> Prepared:
        return prepare(url or self.servers.postgres, self.database, self.roles, passwords or {})

    def ask(self, question: str) -> Any:
        with psycopg.connect(conninfo(self.servers.database(self.database))) as connection:
            return connection.execute(question.encode()).fetchall()


@pytest.fixture
def cluster(vinc_servers: Servers, worker_id: str) -> Generator[Cluster]:
    name = f"{vinc_servers.prefix}_{worker_id}_{token_hex(3)}"
    with psycopg.connect(conninfo(vinc_servers.postgres), autocommit=True) as connection:
        yield Cluster(vinc_servers, name, Roles(name), connection)
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def test_a_superuser_makes_database_roles_and_grants_and_the_second_time_nothing(cluster: Cluster) -> None:
    first, second = cluster.init(), cluster.init()

    assert first.done[0] == f"made the database {cluster.database}"
    assert not first.left
    assert not first.notes
    assert second == Prepared()
    attributes = "select rolname, rolcanlogin, rolbypassrls, rolsuper from pg_roles where rolname ~ %s order by 1"
    assert cluster.superuser.execute(attributes, (f"^{cluster.database}_",)).fetchall() == [
        (cluster.roles.app, True, False, False),
        (cluster.roles.backup, True, True, False),
        (cluster.roles.migrator, True, True, False),
        (cluster.roles.owner, False, False, False),
        (cluster.roles.platform, False, False, False),
    ]
    grants = """select r.rolname, m.rolname, inherit_option, set_option, admin_option from pg_auth_members a
        join pg_roles r on r.oid = roleid join pg_roles m on m.oid = member where m.rolname ~ %s order by 1"""
    assert cluster.superuser.execute(grants, (f"^{cluster.database}_",)).fetchall() == [
        (cluster.roles.owner, cluster.roles.migrator, True, True, False),
        (cluster.roles.platform, cluster.roles.app, False, True, False),
    ]


def test_who_may_make_roles_but_is_no_superuser_makes_them_without_bypassing_row_level_security(
    cluster: Cluster,
) -> None:
    user = cluster.user("createrole createdb")

    made = cluster.init(user)

    assert made.left == []
    assert made.notes == [
        (
            f"{cluster.roles.migrator} does not bypass row level security:"
            " data steps lift FORCE inside their transaction instead"
        ),
        (
            f"{cluster.roles.backup} does not bypass row level security:"
            " pg_dump as it fails, until a superuser runs vinc db init"
        ),
    ]
    assert cluster.init(user).done == []
    members = "select count(*) from pg_auth_members where inherit_option and member = %s::regrole"
    name = user.partition("//")[2].partition(":")[0]
    assert cluster.superuser.execute(members, (name,)).fetchone() == (0,)


def test_who_may_not_make_roles_gets_the_sql_and_a_superuser_only_pastes_it(cluster: Cluster) -> None:
    cluster.superuser.execute(sql.SQL("create database {}").format(sql.Identifier(cluster.database)))
    user = cluster.user("")

    made = cluster.init(user, {cluster.roles.app: "a secret of ours"})

    assert made.done == []
    assert made.left[0] == f'create role "{cluster.roles.owner}";'
    assert made.left[-1] == f'\\password "{cluster.roles.app}"'
    assert "a secret of ours" not in str(made)
    with psycopg.connect(conninfo(cluster.servers.database(cluster.database)), autocommit=True) as connection:
        for line in made.left[:-1]:
            connection.execute(line.encode())
    assert cluster.init(user).left == []
    assert cluster.init().done == []


def test_who_may_not_make_a_database_gets_the_whole_of_it(cluster: Cluster) -> None:
    made = cluster.init(cluster.user(""))

    assert made.left[:2] == [f'create database "{cluster.database}";', f'\\connect "{cluster.database}"']
    assert f'grant "{cluster.roles.platform}" to "{cluster.roles.app}" with inherit false, set true;' in made.left


def test_passwords_are_stored_as_scram_verifiers(cluster: Cluster) -> None:
    cluster.superuser.execute("set log_statement = 'none'")

    made = cluster.init(passwords={cluster.roles.app: "pässword"})

    stored = cluster.ask(f"select rolpassword from pg_authid where rolname = '{cluster.roles.app}'")
    assert stored[0][0].startswith("SCRAM-SHA-256$")
    assert made.done[-1] == f"set the password of {cluster.roles.app}"
    assert "SCRAM" not in str(made)
    assert "pässword" not in str(made)


def test_what_somebody_has_changed_is_put_right(cluster: Cluster) -> None:
    cluster.init()
    for statement in (
        f"grant {cluster.roles.platform} to {cluster.roles.app} with inherit true",
        f"alter role {cluster.roles.app} bypassrls createrole",
        f"grant temporary on database {cluster.database} to public",
    ):
        cluster.superuser.execute(statement.encode())

    made = cluster.init()

    assert len(made.done) == 4
    assert made.left == []
    assert cluster.init().done == []


LIMITS = {
    "idle_in_transaction_session_timeout": "30s",
    "lock_timeout": "10s",
    "statement_timeout": "30s",
    "transaction_timeout": "1min",  # of PostgreSQL 17 and newer
}
SHOW = "select name, current_setting(name) from pg_settings where name = any(%s) order by 1"


def limits(cluster: Cluster) -> dict[str, str]:
    """The limits that a new connection of the application has."""
    url = cluster.servers.database(cluster.database, cluster.roles.app, "x")
    with psycopg.connect(conninfo(url)) as connection:
        return dict(connection.execute(SHOW, [list(LIMITS)]).fetchall())


def test_the_application_has_limits_on_time(cluster: Cluster) -> None:
    cluster.init(passwords={cluster.roles.app: "x"})

    found = limits(cluster)

    assert found == {name: value for name, value in LIMITS.items() if name in found}
    assert len(found) == 4 or "transaction_timeout" not in found


@pytest.mark.parametrize("where", ["", "in database {0}"])
def test_a_limit_that_somebody_has_chosen_is_kept(cluster: Cluster, where: str) -> None:
    cluster.init(passwords={cluster.roles.app: "x"})
    cluster.superuser.execute(f"alter role {cluster.roles.app} reset all".encode())
    chosen = f"alter role {cluster.roles.app} {where.format(cluster.database)} set statement_timeout = '5s'"
    cluster.superuser.execute(chosen.encode())

    made = cluster.init()

    assert limits(cluster)["statement_timeout"] == "5s"
    assert limits(cluster)["lock_timeout"] == "10s"
    assert not [line for line in made.done if "statement_timeout" in line]
    assert cluster.init().done == []


def test_a_server_that_is_not_there_is_one_line_without_the_password() -> None:
    with pytest.raises(DatabaseError) as refused:
        prepare("postgresql://ann:secret@127.0.0.1:1/vinc", "vinc", Roles(), {})

    assert str(refused.value).startswith("PostgreSQL at 127.0.0.1:1/vinc: ")
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


FORBIDDEN = [
    "truncate invoices_invoice",
    "create table mine (n int)",
    "create temporary table invoices_invoice (n int)",
    "alter table invoices_invoice disable row level security",
    "create trigger t before update on invoices_invoice execute function suppress_redundant_updates_trigger()",
    "update vinc_version_invoices set version_num = 'x'",
    "delete from vinc_table",
    "drop table invoices_invoice",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_application_may_do_nothing_but_read_and_write_rows(ground: Ground, statement: str) -> None:
    ground.up(ground.plugin("invoices", tenant_table("invoices_invoice")))

    for role in (None, ground.roles.platform):
        with ground.connect(ground.roles.app) as connection:
            if role:
                connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            with pytest.raises(InsufficientPrivilege):
                connection.execute(statement.encode())


@pytest.mark.parametrize("role", ["owner", "migrator"])
def test_the_application_cannot_become_anybody_but_the_platform(ground: Ground, role: str) -> None:
    with ground.connect(ground.roles.app) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(ground.roles.names[role])))


def test_a_partition_cannot_be_read_past_its_parent(ground: Ground) -> None:
    part = """
op.execute(\"\"\"create table invoices_log (tenant_id uuid not null, at date not null) partition by range (at)\"\"\")
op.execute("create table invoices_log_all partition of invoices_log default")
enable_row_level_security("invoices_log")
"""
    ground.up(ground.plugin("invoices", part))

    with ground.connect(ground.roles.app) as connection:
        assert connection.execute("select count(*) from invoices_log").fetchone() == (0,)
        with pytest.raises(InsufficientPrivilege):
            connection.execute("select count(*) from invoices_log_all")


def test_who_is_not_of_the_owner_cannot_migrate(ground: Ground) -> None:
    with pytest.raises(
        DatabaseError, match=r"_app is not a member of .*_owner: run vinc db init, and name .*_migrator in VINC"
    ):
        ground.up(ground.plugin("invoices", "pass"), role=ground.roles.app)
