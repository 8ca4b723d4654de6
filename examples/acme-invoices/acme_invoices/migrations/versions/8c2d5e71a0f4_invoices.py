"""The table of invoices."""

import sqlalchemy as sa
from alembic import op

from vinc_migrations import enable_row_level_security

revision = "8c2d5e71a0f4"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "invoices_invoice",
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("(NULLIF(current_setting('vinc.tenant_id'::text, true), ''::text))::uuid"),
            nullable=False,
        ),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_invoices_invoice")),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_invoices_invoice_tenant_id_number")),
    )
    enable_row_level_security("invoices_invoice")


def downgrade() -> None:
    op.drop_table("invoices_invoice")
