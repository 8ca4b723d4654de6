"""A tenant whose purge has begun is `purging`, and a receipt names the plugins whose hooks did not run."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from vinc_migrations import data_migration

revision = "e5a2c80b47f1"
down_revision = "c4f1a86e27d9"

TABLE = "tenants_tenant"
STATUS = "ck_tenants_tenant_status"


def upgrade() -> None:
    op.drop_constraint(op.f(STATUS), TABLE)
    rule = "status in ('active', 'suspended', 'closing', 'purging', 'purged')"
    op.create_check_constraint(op.f(STATUS), TABLE, rule)  # vinc: tenants are few
    op.add_column(
        "tenants_receipt",
        sa.Column("skipped_plugins", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("tenants_receipt", "skipped_plugins")
    with data_migration(expect="select count(*) from tenants_tenant where status = 'purging'"):
        op.execute("update tenants_tenant set status = 'closing', purge_after = now() where status = 'purging'")
    op.drop_constraint(op.f(STATUS), TABLE)
    rule = "status in ('active', 'suspended', 'closing', 'purged')"
    op.create_check_constraint(op.f(STATUS), TABLE, rule)  # vinc: tenants are few
