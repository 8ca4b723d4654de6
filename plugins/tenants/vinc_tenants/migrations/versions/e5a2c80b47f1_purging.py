"""A tenant whose purge has begun is `purging`; each purge leaves a receipt, which names the plugins left out."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from vinc_migrations import data_migration

revision = "e5a2c80b47f1"
down_revision = "c4f1a86e27d9"

TABLE = "tenants_tenant"
STATUS = "ck_tenants_tenant_status"
RECEIPT = "tenants_receipt"
RECEIPT_KEY = "pk_tenants_receipt"


def upgrade() -> None:
    op.drop_constraint(op.f(STATUS), TABLE)
    rule = "status in ('active', 'suspended', 'closing', 'purging', 'purged')"
    op.create_check_constraint(op.f(STATUS), TABLE, rule)  # vinc: tenants are few
    op.add_column(
        RECEIPT,
        sa.Column("skipped_plugins", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
    )
    op.drop_constraint(op.f(RECEIPT_KEY), RECEIPT)
    op.create_primary_key(op.f(RECEIPT_KEY), RECEIPT, ["tenant", "purged_at"])  # vinc: they are few


def downgrade() -> None:
    with data_migration(expect="select count(*) - count(distinct tenant) from tenants_receipt"):
        op.execute(
            "delete from tenants_receipt later using tenants_receipt first"
            " where later.tenant = first.tenant and later.purged_at > first.purged_at"
        )
    op.drop_constraint(op.f(RECEIPT_KEY), RECEIPT)
    op.create_primary_key(op.f(RECEIPT_KEY), RECEIPT, ["tenant"])  # vinc: they are few
    op.drop_column(RECEIPT, "skipped_plugins")
    with data_migration(expect="select count(*) from tenants_tenant where status = 'purging'"):
        op.execute("update tenants_tenant set status = 'closing', purge_after = now() where status = 'purging'")
    op.drop_constraint(op.f(STATUS), TABLE)
    rule = "status in ('active', 'suspended', 'closing', 'purged')"
    op.create_check_constraint(op.f(STATUS), TABLE, rule)  # vinc: tenants are few
