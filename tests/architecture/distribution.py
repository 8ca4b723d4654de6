"""What lets tables be spread over many machines by `tenant_id`, with Citus; docs/scaling.md says why.

`vinc db check` looks at the keys of a real database, a third party's tables too. This looks at models, and at what
only a spread database refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from sqlalchemy import Column, ForeignKeyConstraint, Identity, Sequence, Table, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.schema import FetchedValue

TENANT = "tenant_id"
# Citus refuses them in every spelling where the key contains the column that rows are spread by.
ON_DELETE, ON_UPDATE = ("SET NULL", "SET DEFAULT"), ("SET NULL", "SET DEFAULT", "CASCADE")
AROUND_TABLES = ("after_create", "before_create")


def faults(tables: Iterable[Table]) -> list[str]:
    """One line for each thing that keeps these tables from being spread; those they refer to are among them."""
    return [f"{table.name}: {what}" for table in tables for rule in RULES for what in rule(table)]


def is_owned(table: Table) -> bool:
    """Whether its rows belong to tenants."""
    return TENANT in table.columns


def names(columns: Iterable[Column[object]]) -> list[str]:
    return [column.name for column in columns]


def tenant_column(table: Table) -> Iterator[str]:
    """Rows are spread by it, so it is always there; and by one type everywhere, or tables do not stand together."""
    if is_owned(table) and table.c[TENANT].nullable:
        yield "tenant_id may be null"
    if is_owned(table) and not isinstance(table.c[TENANT].type, Uuid):
        yield f"tenant_id is {table.c[TENANT].type}, not UUID"


def primary_key(table: Table) -> Iterator[str]:
    if is_owned(table) and names(table.primary_key.columns)[:1] != [TENANT]:
        yield "the primary key does not begin with tenant_id"


def unique_keys(table: Table) -> Iterator[str]:
    """One machine alone can say that a value is unique, and only of its own tenants."""
    if not is_owned(table):
        return
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint) and names(constraint.columns)[:1] != [TENANT]:
            yield f"the unique constraint on {', '.join(names(constraint.columns))} does not begin with tenant_id"
        if isinstance(constraint, ExcludeConstraint) and constraint.operators.get(TENANT) != "=":
            yield f"the exclusion constraint {constraint.name} does not compare tenant_id by ="
    for index in table.indexes:
        first = next(iter(index.expressions), None)
        if index.unique and getattr(first, "name", None) != TENANT:
            yield f"the unique index {index.name} does not begin with tenant_id"


def foreign_keys(table: Table) -> Iterator[str]:
    """Between tenants' tables it stays on one machine; from them to others, those have a copy on each."""
    for key in table.foreign_key_constraints:
        said = f"the foreign key to {key.referred_table.name}"
        if is_owned(key.referred_table) and not is_owned(table):
            yield f"{said} leads to a table that is spread from one that is not"
        elif is_owned(key.referred_table) and pairs(key)[0] != (TENANT, TENANT):
            yield f"{said} does not begin with tenant_id on both sides"
        if is_owned(table) and TENANT in key.column_keys:
            yield from (f"{said} has {action}" for action in actions(key))


def pairs(key: ForeignKeyConstraint) -> list[tuple[str, str]]:
    return [(element.parent.name, element.column.name) for element in key.elements]


def actions(key: ForeignKeyConstraint) -> Iterator[str]:
    for event, given, refused in (("on delete", key.ondelete, ON_DELETE), ("on update", key.onupdate, ON_UPDATE)):
        if given and given.upper().startswith(refused):
            yield f"`{event} {given.lower()}`"


def sequences(table: Table) -> Iterator[str]:
    """A sequence is one machine's; its numbers would also tell one tenant how busy the others are."""
    for column in table.columns if is_owned(table) else ():
        default = getattr(column.server_default, "arg", "")
        if (
            isinstance(column.default, Sequence)
            or isinstance(column.server_default, Identity)
            or "nextval" in str(default).lower()
            or column is table.autoincrement_column
        ):
            yield f"{column.name} takes its numbers from a sequence"


def triggers(table: Table) -> Iterator[str]:
    """Citus refuses them on tables that are spread, unless its setting for unsafe ones is on."""
    if not is_owned(table):
        return
    for column in table.columns:
        for value in (column.server_default, column.server_onupdate):
            if type(value) is FetchedValue:
                yield f"{column.name} is filled in by a trigger"
    for event in AROUND_TABLES:
        if list(getattr(table.dispatch, event)):
            yield f"something is done {event.replace('_', ' ')}: what it does is not seen here"


RULES: tuple[Callable[[Table], Iterator[str]], ...] = (
    tenant_column,
    primary_key,
    unique_keys,
    foreign_keys,
    sequences,
    triggers,
)
