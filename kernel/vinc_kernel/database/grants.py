"""What the application and the backup may do with each table, compared with what is granted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from .roles import Roles

ALL_ROWS = ("delete", "insert", "select", "update")
APPEND_ONLY = ("insert", "select")
# What the kernel's own tables allow; those that are not named here are read-only.
KERNEL_TABLES = {"vinc_change": ("insert", "select", "update")}
# Relations of the owner, and what everybody and our roles may do with each. Row level security of its parent does not
# guard a partition that is read directly, a materialized view cannot have any, and sequences are used by their tables.
RELATIONS = """
select relname, relispartition or relkind in ('m', 'S'), coalesce(append_only, false),
  array(select quote_ident(col) from unnest(blankable) col), to_regrole({backup_}) is not null, array(
    select coalesce(rolname, 'public') || ' ' || lower(privilege_type) || coalesce(' (' || quote_ident(col) || ')', '')
    from (
      select null as col, grantee, privilege_type from aclexplode(coalesce(relacl, acldefault('r', relowner)))
      union all
      select attname, grantee, privilege_type from pg_attribute, aclexplode(attacl) where attrelid = c.oid
    ) left join pg_roles r on r.oid = grantee
    where grantee in (0, to_regrole({app_})::oid, to_regrole({platform_})::oid, to_regrole({backup_})::oid))
from pg_class c left join {record} on name = relname
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  and relowner = to_regrole({owner_})::oid
order by relname
"""
RECORD = sql.SQL("public.vinc_table").format()  # which tables are append-only


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantDifference:
    """What each role may do with a relation, and what is granted less and more than that: `vinc_app update`."""

    relation: str
    allowed: Mapping[str, Sequence[str]]
    missing: Sequence[str]
    extra: Sequence[str]

    def __str__(self) -> str:
        wrong = [f"lacks the grants {', '.join(self.missing)}"] * bool(self.missing)
        wrong += [f"has the grants {', '.join(self.extra)} too many"] * bool(self.extra)
        return f"{self.relation} {' and '.join(wrong)}"


def grants_query(roles: Roles, record: sql.Composable = RECORD) -> sql.Composed:
    """Return the query for `grant_differences`."""
    return sql.SQL(RELATIONS).format(**roles.sql_names(), record=record)


def grant_differences(rows: Iterable[Sequence[Any]], roles: Roles) -> Iterator[GrantDifference]:
    """Yield each of the owner's relations that has not exactly the grants it should have."""
    for name, is_closed, is_append_only, blankable, has_backup, granted in rows:
        allowed = privileges_by_role(name, roles, is_append_only=is_append_only, blankable=blankable)
        if is_closed:
            allowed = dict.fromkeys(allowed, ())
        if has_backup:  # a database of an older version has no such role until vinc db init has run
            allowed[roles.backup] = ("select",)
        expected = {f"{role} {privilege}" for role, privileges in allowed.items() for privilege in privileges}
        missing, extra = sorted(expected - set(granted)), sorted(set(granted) - expected)
        if missing or extra:
            yield GrantDifference(relation=name, allowed=allowed, missing=missing, extra=extra)


def privileges_by_role(
    relation: str, roles: Roles, *, is_append_only: bool, blankable: Sequence[str]
) -> dict[str, Sequence[str]]:
    """Return what the application and the platform may do; of an append-only table the latter may blank columns."""
    if relation.startswith("vinc_"):
        return dict.fromkeys((roles.app, roles.platform), KERNEL_TABLES.get(relation, ("select",)))
    if not is_append_only:
        return dict.fromkeys((roles.app, roles.platform), ALL_ROWS)
    blank = [f"update ({column})" for column in blankable]
    return {roles.app: APPEND_ONLY, roles.platform: (*APPEND_ONLY, *blank)}
