"""What the application and the backup may do with each table, compared with what is granted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from .roles import Roles

ROWS = ("delete", "insert", "select", "update")
# What the kernel's own tables allow; those that are not named here are read-only.
OF_KERNEL = {"vinc_change": ("insert", "select", "update")}
# Relations of the owner, and what everybody and our roles may do with each. Row level security of its parent does not
# guard a partition that is read directly, a materialized view cannot have any, and sequences are used by their tables.
RELATIONS = """
select relname, relispartition or relkind in ('m', 'S'), to_regrole({backup_}) is not null, array(
  select coalesce(rolname, 'public') || ' ' || lower(privilege_type)
  from aclexplode(coalesce(relacl, acldefault('r', relowner))) left join pg_roles r on r.oid = grantee
  where grantee in (0, to_regrole({app_})::oid, to_regrole({platform_})::oid, to_regrole({backup_})::oid))
from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  and relowner = to_regrole({owner_})::oid
order by relname
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What each role may do with a relation, and what is granted less and more than that: `vinc_app update`."""

    relation: str
    allowed: Mapping[str, Sequence[str]]
    missing: Sequence[str]
    extra: Sequence[str]

    def __str__(self) -> str:
        wrong = [f"lacks the grants {', '.join(self.missing)}"] * bool(self.missing)
        wrong += [f"has the grants {', '.join(self.extra)} too many"] * bool(self.extra)
        return f"{self.relation} {' and '.join(wrong)}"


def grants_asked(roles: Roles) -> sql.Composed:
    """The query whose rows `granted` understands."""
    return sql.SQL(RELATIONS).format(**roles.words())


def granted(rows: Iterable[Sequence[Any]], roles: Roles) -> Iterator[Granted]:
    """Each of the owner's relations that has not exactly the grants it should have."""
    for name, is_closed, has_backup, there in rows:
        rights = () if is_closed else OF_KERNEL.get(name, ("select",)) if name.startswith("vinc_") else ROWS
        allowed = {roles.app: rights, roles.platform: rights}
        if has_backup:  # a database of an older version has no such role until vinc db init has run
            allowed[roles.backup] = ("select",)
        expected = {f"{role} {right}" for role, rights in allowed.items() for right in rights}
        missing, extra = sorted(expected - set(there)), sorted(set(there) - expected)
        if missing or extra:
            yield Granted(relation=name, allowed=allowed, missing=missing, extra=extra)
