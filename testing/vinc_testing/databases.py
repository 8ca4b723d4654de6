"""The databases of a test run: a template with the tables of all enabled plugins, and a copy of it for each worker."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from vinc_kernel.database.roles import Roles

from .servers import TOKEN_SECRET, Servers, conninfo

# The kernel's own tables (`vinc_...`) say which revision a plugin's tables are at.
TABLES = r"""
select relname from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition and relname !~ '^vinc_'
order by relname
"""
SEQUENCES = (
    "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'S' and relname !~ '^vinc_'"
)
SEEDS = sql.Identifier("vinc_seeds")
RESTORE = sql.SQL("insert into public.{0} overriding system value select * from {1}.{0}")


def make_template(servers: Servers) -> None:
    """Make roles and template, and run the migrations of every enabled plugin, as `vinc db init` and `upgrade` do."""
    from vinc_kernel.database.versions import history_of
    from vinc_kernel.plugins.arrange import arrange
    from vinc_kernel.settings import Sources, read_settings
    from vinc_migrations.connection import MigrationOptions
    from vinc_migrations.prepare import prepare
    from vinc_migrations.run import upgrade

    roles = Roles(servers.prefix)
    prepare(servers.postgres, servers.template, roles, passwords(servers))
    settings, _ = read_settings(Sources(Sources.read(os.environ).merged() | environment(servers, servers.template)))
    plugins = arrange(settings)
    histories = [history for one in plugins if (history := history_of(one.name, one.package))]
    # As the migrator: what a superuser may do would hide what FORCE forbids (design, section 6).
    upgrade(
        servers.database(servers.template, roles.migrator, servers.prefix), histories, MigrationOptions(roles=roles)
    )


def passwords(servers: Servers) -> dict[str, str]:
    roles = Roles(servers.prefix)
    return {roles.app: servers.prefix, roles.migrator: servers.prefix}


def environment(servers: Servers, database: str, redis: str = "") -> dict[str, str]:
    """The settings that point an application at this run's servers, by their public names."""
    return {
        "VINC_ENV": "test",
        "VINC_JWT_TEST_SECRET": TOKEN_SECRET,
        "VINC_DATABASE_URL": servers.database(database, f"{servers.prefix}_app", servers.prefix),
        "VINC_DATABASE_MIGRATION_URL": "",
        "VINC_DATABASE_DIRECT_URL": "",
        "VINC_DATABASE_ROLE_PREFIX": servers.prefix,
        "VINC_REDIS_URL": redis or servers.redis,
        "VINC_REDIS_SOCKET_TIMEOUT": "5",
        "VINC_DB_POOL_SIZE": "1",
        "VINC_DB_MAX_OVERFLOW": "9",
        "VINC_LOG_LEVEL": "warning",
    }


@dataclass(frozen=True, slots=True)
class Database:
    """One worker's database. `admin` is a superuser's connection to it, for looking behind the application's back."""

    name: str
    admin: Connection[tuple[Any, ...]]
    tables: Sequence[str]
    seeded: Sequence[str] = ()
    sequences: Sequence[str] = ()

    def clear(self) -> None:
        """Bring every table back to what the migrations have left in it."""
        if self.tables:
            # Deleting takes a fortieth of the time of truncating; a replica's session checks no foreign keys.
            steps: list[sql.Composable] = [sql.SQL("set local session_replication_role = replica")]
            steps += [sql.SQL("delete from {}").format(sql.Identifier(table)) for table in self.tables]
            steps += [sql.SQL("alter sequence {} restart").format(sql.Identifier(name)) for name in self.sequences]
            steps += [RESTORE.format(sql.Identifier(table), SEEDS) for table in self.seeded]
            with self.admin.transaction():
                self.admin.execute(sql.SQL("; ").join(steps))

    def has_rows(self, table: str) -> bool:
        query = sql.SQL("select exists (select from {})").format(sql.Identifier(table))
        row = self.admin.execute(query).fetchone()
        return bool(row and row[0])

    def add_tenant(self, slug: str) -> UUID:
        """The id of the tenant with this slug in the plugin tenants, made if missing; no plugin's hook runs."""
        from vinc_kernel.database.uuid7 import uuid7

        add = (
            "insert into tenants_tenant (id, slug, name) values (%s, %s, %s)"
            " on conflict (slug) do update set slug = excluded.slug returning id"
        )
        ((made,),) = self.admin.execute(add, [uuid7(), slug, slug.replace("-", " ").title()]).fetchall()
        return UUID(str(made))

    def set_tenant_settings(self, slug: str, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Store a tenant's settings, by plugin, in the plugin tenants; no cache hears of it."""
        self.admin.execute("update tenants_tenant set settings = %s where slug = %s", [Jsonb(settings), slug])


def copy_template(servers: Servers, worker: str) -> Database:
    """Make one worker's database; its connection stays open until the worker ends."""
    from vinc_migrations.prepare import prepare

    name = f"{servers.prefix}_{worker}"
    with psycopg.connect(conninfo(servers.postgres), autocommit=True) as connection:
        copy = sql.SQL("create database {} template {} strategy file_copy")
        connection.execute(copy.format(sql.Identifier(name), sql.Identifier(servers.template)))
    # A copy does not inherit what was revoked on its template.
    prepare(servers.postgres, name, Roles(servers.prefix), passwords(servers))
    admin = psycopg.connect(conninfo(servers.database(name)), autocommit=True)
    tables, sequences = ([str(found) for (found,) in admin.execute(query).fetchall()] for query in (TABLES, SEQUENCES))
    database = Database(name, admin, tables, sequences=sequences)
    seeded = [table for table in database.tables if database.has_rows(table)]
    if seeded:
        admin.execute(sql.SQL("create schema {}").format(SEEDS))
    for table in seeded:
        keep = sql.SQL("create table {1}.{0} as table public.{0}")
        admin.execute(keep.format(sql.Identifier(table), SEEDS))
    return replace(database, seeded=seeded)
