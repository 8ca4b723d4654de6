"""What the database says of itself: whose tables there are, and whether row level security guards them."""

from __future__ import annotations

from psycopg import sql

from vinc_kernel.database.catalog_checks import ROWS, Flaw, statement, told
from vinc_kernel.errors import DatabaseError

from .keys import KEYS
from .unit import Unit

# `vinc_change` counts changes by topic: workers forget what they have cached when a number has grown.
KERNEL = """
create table if not exists public.vinc_table (name text primary key, plugin text not null);
create table if not exists public.vinc_change (topic text primary key, number bigint not null default 0)
"""
HAS_KERNEL = "select to_regclass('public.vinc_table') is not null and to_regclass('public.vinc_change') is not null"
VERSION = "create table if not exists public.{table} (version_num varchar(32) primary key)"
RELATIONS = r"""
select relname, pg_get_userbyid(relowner) from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm')
  and relname not in ('vinc_table', 'vinc_change') and relname not like 'vinc\_version\_%'
"""
OWNED = "select name, plugin from public.vinc_table"


def has_kernel_tables(unit: Unit) -> bool:
    """Whether the kernel's own tables are there, beside those with each plugin's revision."""
    return bool(unit.run(HAS_KERNEL)[0][0])


def make_kernel_tables(unit: Unit) -> None:
    """Make the kernel's own tables where they are missing, as their owner."""
    unit.run(KERNEL)


def ensure(unit: Unit, version_table: str) -> None:
    """Make a plugin's version table where it is missing, as its owner."""
    existing = "select to_regclass({version}) is not null"
    if not unit.run(existing, {"version": sql.Literal(f"public.{version_table}")})[0][0]:
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
            raise DatabaseError(f"it makes {name} as the migrator; make it outside of the `with`, as its owner")
        words = {"name": sql.Literal(name), "plugin": sql.Literal(unit.plugin)}
        unit.run("insert into public.vinc_table (name, plugin) values ({name}, {plugin})", words)


def flaws(unit: Unit) -> list[Flaw]:
    """Every table that row level security does not guard as it should, and every key that crosses tenants."""
    questions = (*ROWS, *KEYS)
    return told(unit.ask(statement(questions, unit.roles)), questions, unit.roles)
