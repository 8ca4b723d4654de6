"""The index for lists by `due`, created concurrently and so in a revision of its own."""

from alembic import op

from vinc_migrations import create_index_concurrently

revision = "1be47d95c2a6"
down_revision = "f3a9b60c7d18"

NAME = "ix_invoices_invoice_tenant_id_due_id"


def upgrade() -> None:
    create_index_concurrently(NAME, "invoices_invoice", ["tenant_id", "due", "id"])


def downgrade() -> None:
    op.drop_index(NAME, "invoices_invoice")
