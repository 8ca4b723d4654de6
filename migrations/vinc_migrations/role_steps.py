"""The five database roles and what each may do: statements, each with a query whether it has run.

`vinc db init` runs what is missing, or prints it for somebody who may; `vinc db check` reports it. Roles are shared by
a whole cluster, hence the prefix. PostgreSQL 16 or newer: a grant without inheritance is not known before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql
from psycopg.errors import UndefinedObject

from vinc_kernel.database.roles import Roles


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One statement, what is wrong until it has run, and the query whether it has.

    `as_owner`: only a member of the owner may run it. `optional`: the installation works without it.
    """

    wrong: str
    run: sql.Composed
    done: sql.Composed
    as_owner: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A step before the names are in it."""

    wrong: str
    run: str
    done: str
    as_owner: bool = False
    optional: bool = False

    def fill(self, names: dict[str, str], identifiers: dict[str, sql.Composable]) -> Step:
        return Step(
            wrong=self.wrong.format(**names),
            run=sql.SQL(self.run).format(**identifiers),
            done=sql.SQL(self.done).format(**identifiers),
            as_owner=self.as_owner,
            optional=self.optional,
        )


EXISTS = Template(
    wrong="there is no role {role}",
    run="create role {role}",
    done="select to_regrole({role_}) is not null",
)
NO_LOGIN = Template(
    wrong="the role {role} may log in, or has other rights over the cluster",
    run="alter role {role} nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls",
    done="select exists (select from pg_roles where rolname = {role_} and not (rolcanlogin or rolsuper or rolcreatedb"
    " or rolcreaterole or rolreplication or rolbypassrls))",
)
LOGS_IN = Template(
    wrong="the role {role} may not log in",
    run="alter role {role} login",
    done="select exists (select from pg_roles where rolname = {role_} and rolcanlogin)",
)
NO_MORE = Template(
    wrong="the role {role} has rights over the cluster",
    run="alter role {role} nosuperuser nocreatedb nocreaterole noreplication",
    done="select exists (select from pg_roles where rolname = {role_} and not (rolsuper or rolcreatedb"
    " or rolcreaterole or rolreplication))",
)
BOUND = Template(
    wrong="row level security does not bind the role {role}",
    run="alter role {role} nobypassrls",
    done="select exists (select from pg_roles where rolname = {role_} and not rolbypassrls)",
)
# Whoever has set another value, for the role or for this database, keeps it. PostgreSQL ignores the two first ones
# where the last is shorter or equal; it is new in PostgreSQL 17.
LIMITS = {
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "30s",
    "lock_timeout": "10s",
    "transaction_timeout": "60s",
}
HAS_LIMIT = """
select current_setting('{name}', true) is null or exists (
  select from pg_db_role_setting, unnest(setconfig) as given
  where setrole = to_regrole({{role_}})::oid and starts_with(given, '{name}=')
    and setdatabase in (0, (select oid from pg_database where datname = current_database())))
"""
LIMITED = tuple(
    Template(
        wrong=f"the role {{role}} has no {name}",
        run=f"do $do$ begin if current_setting('{name}', true) is not null then"
        f" alter role {{role}} set {name} = '{value}'; end if; end $do$",
        done=HAS_LIMIT.format(name=name),
    )
    for name, value in LIMITS.items()
)
OF_ROLES = {
    "owner": (EXISTS, NO_LOGIN),
    "platform": (EXISTS, NO_LOGIN),
    "migrator": (EXISTS, LOGS_IN, NO_MORE),
    "app": (EXISTS, LOGS_IN, NO_MORE, BOUND, *LIMITED),
    "backup": (EXISTS, LOGS_IN, NO_MORE),
}
OF_DATABASE = (
    Template(
        wrong="{migrator} does not bypass row level security: data steps lift FORCE inside their transaction instead",
        run="alter role {migrator} bypassrls",
        done="select exists (select from pg_roles where rolname = {migrator_} and rolbypassrls)",
        optional=True,
    ),
    Template(
        wrong="{backup} does not bypass row level security: pg_dump as it fails, until a superuser runs vinc db init",
        run="alter role {backup} bypassrls",
        done="select exists (select from pg_roles where rolname = {backup_} and rolbypassrls)",
        optional=True,
    ),
    Template(
        wrong="{migrator} is not a member of {owner}",
        run="grant {owner} to {migrator} with inherit true, set true",
        done="select exists (select from pg_auth_members where roleid = to_regrole({owner_})::oid"
        " and member = to_regrole({migrator_})::oid and inherit_option and set_option)",
    ),
    Template(
        wrong="{app} cannot enter {platform}, or sees every tenant's rows without entering it",
        run="grant {platform} to {app} with inherit false, set true",
        done="select count(*) filter (where set_option) > 0 and count(*) filter (where inherit_option) = 0"
        " from pg_auth_members where roleid = to_regrole({platform_})::oid and member = to_regrole({app_})::oid",
    ),
    Template(
        wrong="{app}, {migrator} or {backup} cannot connect to the database {database}",
        run="grant connect on database {database} to {app}, {migrator}, {backup}",
        done="select bool_and(has_database_privilege(one, {database_}, 'connect'))"
        " from unnest(array[{app_}, {migrator_}, {backup_}]) one",
    ),
    Template(
        wrong="{app} may make temporary tables in {database}, which hide real ones",
        run="revoke temporary on database {database} from public, {app}",
        done="select not has_database_privilege({app_}, {database_}, 'temporary')",
    ),
    Template(
        wrong="{owner} may not make tables in the schema public",
        run="grant usage, create on schema public to {owner}",
        done="select has_schema_privilege({owner_}, 'public', 'create')"
        " and has_schema_privilege({owner_}, 'public', 'usage')",
    ),
    Template(
        wrong="{app} may make tables in the schema public",
        run="revoke create on schema public from public, {app}, {platform}",
        done="select not has_schema_privilege({app_}, 'public', 'create')"
        " and not has_schema_privilege({platform_}, 'public', 'create')",
    ),
    Template(
        wrong="{app}, {platform} or {backup} may not look into the schema public",
        run="grant usage on schema public to {app}, {platform}, {backup}",
        done="select bool_and(has_schema_privilege(one, 'public', 'usage'))"
        " from unnest(array[{app_}, {platform_}, {backup_}]) one",
    ),
    Template(
        wrong="the tables that {owner} makes are not granted to {app} and {platform} as they should be",
        run="alter default privileges for role {owner} in schema public revoke all on tables from {app}, {platform};"
        " alter default privileges for role {owner} in schema public"
        " grant select, insert, update, delete on tables to {app}, {platform}",
        done="select count(*) = 8 and bool_and(privilege_type in ('SELECT', 'INSERT', 'UPDATE', 'DELETE'))"
        " from pg_default_acl, aclexplode(defaclacl)"
        " where defaclrole = to_regrole({owner_})::oid and defaclnamespace = 'public'::regnamespace"
        " and defaclobjtype = 'r' and grantee in (to_regrole({app_})::oid, to_regrole({platform_})::oid)",
        as_owner=True,
    ),
    Template(
        wrong="the tables and sequences that {owner} makes are not granted to {backup} as they should be",
        run="alter default privileges for role {owner} in schema public revoke all on tables from {backup};"
        " alter default privileges for role {owner} in schema public grant select on tables to {backup};"
        " alter default privileges for role {owner} in schema public revoke all on sequences from {backup};"
        " alter default privileges for role {owner} in schema public grant select on sequences to {backup}",
        done="select array_agg(defaclobjtype::text || privilege_type order by 1) = '{{rSELECT,SSELECT}}'"
        " from pg_default_acl, aclexplode(defaclacl)"
        " where defaclrole = to_regrole({owner_})::oid and defaclnamespace = 'public'::regnamespace"
        " and defaclobjtype in ('r', 'S') and grantee = to_regrole({backup_})::oid",
        as_owner=True,
    ),
)


def steps(roles: Roles, database: str) -> Iterator[Step]:
    """Yield everything but the grants on tables, in the order in which it can run."""
    for key, templates in OF_ROLES.items():
        name = roles.names[key]
        for template in templates:
            yield template.fill({"role": name}, {"role": sql.Identifier(name), "role_": sql.Literal(name)})
    identifiers = roles.sql_names() | {"database": sql.Identifier(database), "database_": sql.Literal(database)}
    for template in OF_DATABASE:
        yield template.fill(roles.names | {"database": database}, identifiers)


def is_done(connection: Connection[Any], step: Step) -> bool:
    """Return whether it has run; it has not where its query names a role that does not exist yet."""
    try:
        with connection.transaction():
            row = connection.execute(step.done).fetchone()
    except UndefinedObject:
        return False
    return bool(row and row[0])
