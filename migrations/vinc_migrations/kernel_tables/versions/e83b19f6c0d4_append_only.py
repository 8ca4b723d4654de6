"""Tables that are append-only, and which of their columns the platform may blank."""

from alembic import op

revision = "e83b19f6c0d4"
down_revision = "a4c07d5e91b2"


def upgrade() -> None:
    op.execute(
        "alter table public.vinc_table add column append_only boolean not null default false,"
        " add column blankable text[] not null default '{}'"
    )
