"""The table of tenants."""

import sqlalchemy as sa
from alembic import op

revision = "4d1f0c6a9b27"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "tenants_tenant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("slug ~ '^[a-z](-?[a-z0-9]){2,40}$'", name=op.f("ck_tenants_tenant_slug")),
        sa.CheckConstraint(
            "slug !~ '^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$'", name=op.f("ck_tenants_tenant_slug_is_no_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants_tenant")),
        sa.UniqueConstraint("slug", name=op.f("uq_tenants_tenant_slug")),
    )


def downgrade() -> None:
    op.drop_table("tenants_tenant")
