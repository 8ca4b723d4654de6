"""What must not be in the database's catalog: one check each, all run in one statement.

`vinc db check`, every upgrade and every start run the same ones; a start leaves out what endangers no tenant's rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from .roles import Roles

# How PostgreSQL writes the policy back, without casts to text, spaces, parentheses and an alias.
TENANT = "tenant_id=selectnullifcurrent_setting'vinc.tenant_id',true,''::uuid"
EXCEPTION = "vinc: _%"  # an object whose comment begins so is an exception that somebody has thought about
# `guarded` are tenants' tables, and the platform's: those without `tenant_id` that have anything of row level security.
COMMON = r"""
with guarded as (
  select c.oid, relname::text, relispartition, relrowsecurity, relforcerowsecurity, relowner, attnum, attnotnull
  from pg_class c left join pg_attribute on attrelid = c.oid and attname = 'tenant_id' and not attisdropped
  where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'f') and (attnum is not null
    or relrowsecurity or relforcerowsecurity or exists (select from pg_policy where polrelid = c.oid))
), owned as (
  select * from guarded where attnum is not null
), policy as (
  select polrelid, polname::text, case
    when polcmd <> '*' or polwithcheck is not null then null
    when polroles = array[to_regrole({app_})::oid] and condition = {tenant} then 'vinc_tenant'
    when polroles = array[to_regrole({platform_})::oid] and condition = 'true' then 'vinc_platform' end as kind
  from pg_policy, lower(regexp_replace(
    pg_get_expr(polqual, polrelid), '::text|\s|[()]|as\s+"?nullif"?', '', 'gi')) as condition
  where polpermissive
), function as (
  select oid, oid::regprocedure::text as name, prosecdef, provolatile = 'i' as is_immutable,
    coalesce(pg_get_function_sqlbody(oid), prosrc) as body
  from pg_proc p
  where pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) and not exists (
    select from pg_depend where classid = 'pg_proc'::regclass and objid = p.oid and deptype = 'e')
), shown as (
  select oid, relname::text, relkind, reloptions from pg_class c
  where relnamespace = 'public'::regnamespace and relkind in ('v', 'm') and not exists (
    select from pg_depend where classid = 'pg_class'::regclass and objid = c.oid and deptype = 'e')
), readable as (
  select c.oid, relname::text, nspname::text, relowner from pg_class c join pg_namespace n on n.oid = relnamespace
  where relkind in ('r', 'p', 'v', 'm', 'f') and nspname <> 'information_schema' and nspname !~ '^pg_'
    and has_schema_privilege(to_regrole({app_})::oid, n.oid, 'usage')
    and (has_table_privilege(to_regrole({app_})::oid, c.oid, {any_right})
      or has_table_privilege(to_regrole({platform_})::oid, c.oid, {any_right})
      or has_any_column_privilege(to_regrole({app_})::oid, c.oid, 'select, insert, update, references'))
    and not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = c.oid and deptype = 'e')
)
"""
ANY_RIGHT = "select, insert, update, delete, truncate, references, trigger"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the catalog that endangers a table; or a role or function, in its place."""

    table: str
    what: str

    def __str__(self) -> str:
        return f"{self.table}: {self.what}"


@dataclass(frozen=True, slots=True)
class CatalogCheck:
    """`query` returns the table, role or function, and the name of the culprit, which fills the `{}` of `what`."""

    what: str
    query: str


# Policies are OR-ed, so a tenant's table has exactly two, one for each role, and the platform's the second of them;
# restrictive ones only narrow. Partitions cannot be read directly, which the grants see to.
ROWS = (
    CatalogCheck(
        "the kernel's table is missing; restore it",
        "select 'vinc_change', '' where to_regclass('public.vinc_change') is null",
    ),
    CatalogCheck(
        'row level security is not enabled; call enable_row_level_security("{}") in its revision',
        "select relname, relname from guarded where not relispartition and not relrowsecurity",
    ),
    CatalogCheck(
        'row level security is not forced; call enable_row_level_security("{}") in its revision',
        "select relname, relname from guarded where not relispartition and relrowsecurity and not relforcerowsecurity",
    ),
    CatalogCheck(
        "the policy {} is not expected here; make it `as restrictive`, or drop it",
        "select relname, polname from policy join guarded on guarded.oid = polrelid where kind is null",
    ),
    CatalogCheck(
        "the policy {} is missing; call enable_row_level_security() in a revision",
        """select relname, wanted from guarded, unnest(array['vinc_tenant', 'vinc_platform']) wanted
        where not relispartition and (attnum is not null or wanted = 'vinc_platform')
          and not exists (select from policy where polrelid = guarded.oid and kind = wanted)""",
    ),
    CatalogCheck(
        'nothing keeps {platform} from writing more than null; call enable_append_only("{}", ...) in a revision',
        r"""select relname::text, relname::text from public.vinc_table
        join pg_class c on relname = name and relnamespace = 'public'::regnamespace
        where append_only and blankable <> '{{}}' and not exists (
          select from pg_policy where polrelid = c.oid and polname = 'vinc_blank' and not polpermissive
            and polcmd = 'w' and polroles = array[to_regrole({platform_})::oid] and pg_get_expr(polqual, c.oid) = 'true'
            and lower(regexp_replace(pg_get_expr(polwithcheck, c.oid), '\s|[()]', '', 'g')) = (
              select string_agg(lower(quote_ident(col)) || 'isnull', 'and' order by number)
              from unnest(blankable) with ordinality as columns (col, number)))""",
    ),
    CatalogCheck(
        "the application may use it, and nobody looks at what stands outside of the schema public; revoke that on {}",
        "select relname, nspname from readable where nspname <> 'public'",
    ),
    CatalogCheck(
        "it belongs to {}, so that nobody looks at its grants; alter its owner to {owner}",
        """select relname, rolname::text from readable join pg_roles r on r.oid = relowner
        where nspname = 'public' and relowner <> to_regrole({owner_})::oid""",
    ),
    CatalogCheck(
        "the view {} runs as its owner; make it with security_invoker",
        """select relname, relname from shown where relkind = 'v'
        and not coalesce(reloptions, '{{}}') && array['security_invoker=true', 'security_invoker=on']""",
    ),
    CatalogCheck(
        "row level security does not guard a materialized view; drop it, or comment on it `vinc: why`",
        """select relname, '' from shown where relkind = 'm'
        and obj_description(oid, 'pg_class') like {exception} is not true""",
    ),
    CatalogCheck(
        "the function runs as its owner, who may see more; drop `security definer`, or comment on it `vinc: why`",
        """select name, '' from function where prosecdef
        and obj_description(oid, 'pg_proc') like {exception} is not true""",
    ),
    CatalogCheck(
        "an immutable function must not read a setting: plans keep its first answer; make it stable",
        "select name, '' from function where is_immutable and body ilike '%current\\_setting%'",
    ),
    CatalogCheck(
        "the policy {} uses this immutable function: plans keep its first answer; make it stable",
        """select name, polname::text from function
        join pg_depend on refclassid = 'pg_proc'::regclass and refobjid = function.oid
        join pg_policy p on classid = 'pg_policy'::regclass and objid = p.oid
        where is_immutable and body not ilike '%current\\_setting%'""",
    ),
    CatalogCheck(
        "this role is a member of {}; revoke it",
        """select member.rolname::text, role.rolname::text from pg_auth_members m
        join pg_roles role on role.oid = roleid join pg_roles member on member.oid = m.member
        where member.rolname in ({app_}, {platform_}, {owner_})
          and (member.rolname, role.rolname) <> ({app_}, {platform_})""",
    ),
    CatalogCheck(
        "this role may give {} to others; revoke admin option for it",
        """select member.rolname::text, role.rolname::text from pg_auth_members m
        join pg_roles role on role.oid = roleid join pg_roles member on member.oid = m.member
        where admin_option and (member.rolname, role.rolname) = ({app_}, {platform_})""",
    ),
    CatalogCheck(
        "its sessions begin with {}; alter role ... reset that setting",
        """select coalesce(rolname::text, 'every role'), setting from pg_db_role_setting s
        left join pg_roles r on r.oid = setrole, unnest(setconfig) as setting
        where (rolname in ({app_}, {platform_}) or setrole = 0)
          and setdatabase in (0, (select oid from pg_database where datname = current_database()))
          and setting ~ '^(role|row_security|session_authorization|vinc[.])'""",
    ),
)
# Of the role that asks: `vinc db check` does so as the migrator, who may do more.
USER = (
    CatalogCheck(
        "this role is a superuser, so nothing keeps tenants apart; connect as {app}, which vinc db init puts right",
        "select rolname::text, '' from pg_roles where rolname = current_user and rolsuper",
    ),
    CatalogCheck(
        "this role bypasses row level security; connect as {app}, which vinc db init puts right",
        "select rolname::text, '' from pg_roles where rolname = current_user and rolbypassrls and not rolsuper",
    ),
    CatalogCheck(
        "this role sees every tenant's rows without entering {platform}; run vinc db init, and connect as {app}",
        """select rolname::text, '' from pg_roles where rolname = current_user and not rolsuper
        and pg_has_role(oid, to_regrole({platform_})::oid, 'usage')""",
    ),
    CatalogCheck(
        "this role is a member of {}; connect as {app}",
        """select member.rolname::text, role.rolname::text from pg_roles member, pg_roles role
        where member.rolname = current_user and member.rolname <> {app_} and not member.rolsuper
          and role.rolname not in (current_user, {platform_}) and pg_has_role(member.oid, role.oid, 'member')""",
    ),
    CatalogCheck(
        "the application connects as {}, to whom this table belongs; alter its owner to {owner}",
        """select relname, rolname::text from owned join pg_roles r on r.oid = relowner where rolname = current_user""",
    ),
)


def catalog_query(checks: Sequence[CatalogCheck], roles: Roles) -> sql.Composed:
    """Return all of these checks as one query; its rows are a check's number, the table and the culprit."""
    words = {
        **roles.sql_names(),
        "tenant": sql.Literal(TENANT),
        "exception": sql.Literal(EXCEPTION),
        "any_right": sql.Literal(ANY_RIGHT),
    }
    one = sql.SQL("select {number}, * from ({query})")
    parts = [
        one.format(number=number, query=sql.SQL(check.query).format(**words)) for number, check in enumerate(checks)
    ]
    return sql.SQL(COMMON).format(**words) + sql.SQL(" union all ").join(parts) + sql.SQL(" order by 1, 2, 3")


def to_findings(rows: Iterable[Sequence[Any]], checks: Sequence[CatalogCheck], roles: Roles) -> list[Finding]:
    """Turn the rows of that query into findings."""
    return [Finding(str(table), checks[number].what.format(name, **roles.names)) for number, table, name in rows]
