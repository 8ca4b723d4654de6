"""Operations for revisions, beside Alembic's `op`; docs/plugins.md explains each name.

In a revision everything runs as the role that owns the tables, which row level security binds: a statement that it
would cut short is refused. Steps that look at rows stand in `with data(expect=n):` or `with all_rows():`.
"""

from .operations import all_rows, create_index_concurrently, data, protect, unprotect

__all__ = ["all_rows", "create_index_concurrently", "data", "protect", "unprotect"]
