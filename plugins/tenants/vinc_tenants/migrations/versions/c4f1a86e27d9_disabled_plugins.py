"""The plugins that are off for a tenant stand in a column of that name."""

from alembic import op

revision = "c4f1a86e27d9"
down_revision = "b7e2c94d0a53"


def upgrade() -> None:
    op.execute("alter table tenants_tenant rename column without to disabled_plugins")


def downgrade() -> None:
    op.execute("alter table tenants_tenant rename column disabled_plugins to without")
