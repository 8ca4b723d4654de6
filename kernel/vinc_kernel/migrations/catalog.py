"""What the database's own catalog says: whose tables there are, and whether row level security guards them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from ..errors import DatabaseError
from .unit import Unit

RECORD = "create table if not exists public.vinc_table (name text primary key, plugin text not null)"
VERSION = "create table if not exists public.{table} (version_num varchar(32) primary key)"
RELATIONS = r"""
select relname, pg_get_userbyid(relowner) from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm')
  and relname <> 'vinc_table' and relname not like 'vinc\_version\_%'
"""
OWNED = "select name, plugin from public.vinc_table"
# What guards each table with a tenant_id. Partitions cannot be read directly, which the grants see to.
GUARDS = """
select c.relname, relrowsecurity, relforcerowsecurity, attnotnull, array(
  select array[polname::text, polpermissive::text, polcmd::text, coalesce(pg_get_expr(polqual, c.oid), ''),
    coalesce(pg_get_expr(polwithcheck, c.oid), ''),
    array_to_string(array(select pg_get_userbyid(r) from unnest(polroles) r order by 1), ',')]
  from pg_policy where polrelid = c.oid order by polname)
from pg_class c join pg_attribute a on a.attrelid = c.oid and attname = 'tenant_id' and not attisdropped
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition order by 1
"""
# Keys see every tenant's rows: they tell what exists, and cascade across tenants, unless tenant_id comes first.
# attnum of tenant_id, for the tables that have one, beside what is compared with it.
TENANT_COLUMN = """
with t as (select attrelid, attnum from pg_attribute join pg_class c on c.oid = attrelid
  where attname = 'tenant_id' and not attisdropped and relnamespace = 'public'::regnamespace)
"""
FLAWS = {
    "the unique index {} does not begin with tenant_id": """{tenant_column}
      select indrelid::regclass::text, indexrelid::regclass::text from pg_index join t on attrelid = indrelid
      where indisunique and indkey[0] <> attnum""",
    "the foreign key {} does not begin with tenant_id": """{tenant_column}
      select conrelid::regclass::text, conname::text from pg_constraint
      join t a on a.attrelid = conrelid join t b on b.attrelid = confrelid
      where contype = 'f' and (conkey[1] <> a.attnum or confkey[1] <> b.attnum)""",
    "the index {} is invalid": """select indrelid::regclass::text, indexrelid::regclass::text
      from pg_index join pg_class c on c.oid = indrelid
      where relnamespace = 'public'::regnamespace and not indisvalid and relkind <> 'p'""",
    "the constraint {} is not validated": """select conrelid::regclass::text, conname::text from pg_constraint
      where connamespace = 'public'::regnamespace and conrelid <> 0 and not convalidated""",
    "the sequence {} is not granted to the application; use sa.Identity()": """
      select refobjid::regclass::text, s.oid::regclass::text from pg_class s join pg_depend on objid = s.oid
        and classid = 'pg_class'::regclass and refclassid = 'pg_class'::regclass and deptype = 'a'
      where relkind = 'S' and relnamespace = 'public'::regnamespace""",
    "the view {} runs as its owner; make it with security_invoker": """select relname::text, relname::text
      from pg_class where relnamespace = 'public'::regnamespace and relkind = 'v'
      and not coalesce(reloptions, '{{}}') && array['security_invoker=true', 'security_invoker=on']""",
}
TENANT = "tenant_id=selectnullifcurrent_setting'vinc.tenant_id',true,''::uuid"


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something in the catalog that endangers a table."""

    table: str
    what: str

    def __str__(self) -> str:
        return f"{self.table}: {self.what}"


def ensure(unit: Unit, version_table: str) -> None:
    """Make the record of owners and a plugin's version table where they are missing, as their owner."""
    existing = "select to_regclass({record}) is not null and to_regclass({version}) is not null"
    names = {"record": sql.Literal("public.vinc_table"), "version": sql.Literal(f"public.{version_table}")}
    if not unit.run(existing, names)[0][0]:
        unit.run(RECORD)
        unit.run(VERSION, {"table": sql.Identifier(version_table)})


def relations(unit: Unit) -> dict[str, str]:
    """Tables and views with the role that owns each; the kernel's own are left out."""
    return dict(unit.run(RELATIONS))


def owners(unit: Unit) -> dict[str, str]:
    """Tables and views with the plugin that made each. A name's prefix does not tell: this record does."""
    there = unit.run("select to_regclass('public.vinc_table') is not null")[0][0]
    return dict(unit.run(OWNED)) if there else {}


def record(unit: Unit, before: dict[str, str]) -> None:
    """Record what a revision made and dropped; raises DatabaseError where it was not the plugin's to make or drop."""
    after, known = relations(unit), owners(unit)
    for name in sorted(before.keys() - after.keys()):
        if known.get(name, unit.plugin) != unit.plugin:
            raise DatabaseError(f"it drops {name}, which belongs to {known[name]}; leave it")
        unit.run("delete from public.vinc_table where name = {name}", {"name": sql.Literal(name)})
    for name in sorted(after.keys() - before.keys()):
        if not name.startswith(f"{unit.plugin}_"):
            raise DatabaseError(f"it makes {name}, which is not named after the plugin; call it {unit.plugin}_...")
        if after[name] != unit.roles.owner:
            raise DatabaseError(f"it makes {name} inside all_rows() or data(); make it outside, as its owner")
        words = {"name": sql.Literal(name), "plugin": sql.Literal(unit.plugin)}
        unit.run("insert into public.vinc_table (name, plugin) values ({name}, {plugin})", words)


def flaws(unit: Unit) -> Iterator[Flaw]:
    """Every table that row level security does not guard as it should, and every key that crosses tenants."""
    for table, is_enabled, is_forced, is_filled, policies in unit.run(GUARDS):
        if not is_enabled or not is_forced:
            state = "enabled" if not is_enabled else "forced"
            yield Flaw(table, f'row level security is not {state}; call protect("{table}") in its revision')
        if not is_filled:
            yield Flaw(table, "tenant_id may be null; make it not null")
        yield from (Flaw(table, what) for what in policy_flaws(policies, unit))
    words = {"tenant_column": sql.SQL(TENANT_COLUMN)}
    for what, query in FLAWS.items():
        yield from (Flaw(str(table), what.format(name)) for table, name in unit.run(query, words))


def policy_flaws(policies: Sequence[Sequence[str]], unit: Unit) -> Iterator[str]:
    """Permissive policies are OR-ed, so there are exactly two, one for each role; restrictive ones only narrow."""
    wanted = {("*", TENANT, "", unit.roles.app): "vinc_tenant", ("*", "true", "", unit.roles.platform): "vinc_platform"}
    for name, permissive, command, condition, check, roles in policies:
        if permissive != "true":
            continue
        if wanted.pop((command, plain(condition), plain(check), roles), None) is None:
            yield f"the policy {name} is not one of the two expected; make it `as restrictive`, or drop it"
    for name in wanted.values():
        yield f"the policy {name} is missing"


def plain(expression: str) -> str:
    """An expression without what PostgreSQL adds when it writes one back: casts to text, parentheses, an alias."""
    return re.sub(r"::text|\s|[()]|AS\s+\"?nullif\"?", "", expression).lower()
