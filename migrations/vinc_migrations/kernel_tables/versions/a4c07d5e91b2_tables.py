"""The kernel's own tables; a database of an older version has them already."""

from alembic import op

revision = "a4c07d5e91b2"
down_revision = None


def upgrade() -> None:
    # `vinc_change` counts changes by topic: workers forget what they have cached when a number has grown.
    op.execute("create table if not exists public.vinc_table (name text primary key, plugin text not null)")
    op.execute(
        "create table if not exists public.vinc_change (topic text primary key, number bigint not null default 0)"
    )
