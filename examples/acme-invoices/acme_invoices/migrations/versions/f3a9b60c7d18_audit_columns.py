"""The audit columns of invoices."""

import sqlalchemy as sa
from alembic import op

revision = "f3a9b60c7d18"
down_revision = "8c2d5e71a0f4"

TABLE = "invoices_invoice"
ACTOR = "(NULLIF(current_setting('vinc.actor_id'::text, true), ''::text))::uuid"


def upgrade() -> None:
    for name in ("created_at", "updated_at"):
        kind = sa.DateTime(timezone=True)
        op.add_column(TABLE, sa.Column(name, kind, server_default=sa.text("now()"), nullable=False))
    for name in ("created_by", "updated_by"):
        op.add_column(TABLE, sa.Column(name, sa.Uuid(), server_default=sa.text(ACTOR), nullable=True))
    op.add_column(TABLE, sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))


def downgrade() -> None:
    for name in ("version", "updated_by", "created_by", "updated_at", "created_at"):
        op.drop_column(TABLE, name)
