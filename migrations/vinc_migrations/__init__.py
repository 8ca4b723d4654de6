"""Operations for revisions, beside Alembic's `op`; docs/plugins.md explains each name.

In a revision everything runs as the role that owns the tables, which row level security binds: a statement that would
see too few rows is refused. Steps that look at rows stand in `with data_migration(expect=n):` or
`with bypass_row_level_security():`.

A name is fetched when it is first asked for: `vinc` looks at this package for its commands, and most need no Alembic.
"""

import typing

if typing.TYPE_CHECKING:
    from .operations import (
        bypass_row_level_security,
        create_index_concurrently,
        data_migration,
        disable_append_only,
        disable_row_level_security,
        enable_append_only,
        enable_row_level_security,
    )

__all__ = [
    "bypass_row_level_security",
    "create_index_concurrently",
    "data_migration",
    "disable_append_only",
    "disable_row_level_security",
    "enable_append_only",
    "enable_row_level_security",
]


def __getattr__(name: str) -> typing.Any:
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from . import operations

    return getattr(operations, name)
