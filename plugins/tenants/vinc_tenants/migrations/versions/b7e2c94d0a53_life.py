"""What a tenant is by law, its status, its settings, the plugins it is without, and the receipts of purges."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "b7e2c94d0a53"
down_revision = "4d1f0c6a9b27"

TABLE = "tenants_tenant"
ACTOR = "(NULLIF(current_setting('vinc.actor_id'::text, true), ''::text))::uuid"
CHECKS = {
    "slug_length": "length(slug) <= 41",
    "status": "status in ('active', 'suspended', 'closing', 'purged')",
    "purge_after": "(status = 'closing') = (purge_after is not null)",
}
INDEXES = (["status", "purge_after"], ["name", "id"], ["created_at", "id"])


def name_of(columns: list[str]) -> str:
    return op.f(f"ix_tenants_tenant_{'_'.join(columns)}")


def upgrade() -> None:
    for name in ("legal_name", "legal_address", "legal_email", "legal_number", "tax_id", "logo_url"):
        op.add_column(TABLE, sa.Column(name, sa.Text(), nullable=True))
    op.add_column(TABLE, sa.Column("status", sa.Text(), server_default="active", nullable=False))
    op.add_column(TABLE, sa.Column("purge_after", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        TABLE, sa.Column("settings", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False)
    )
    op.add_column(
        TABLE, sa.Column("without", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False)
    )
    op.add_column(TABLE, sa.Column("created_by", sa.Uuid(), server_default=sa.text(ACTOR), nullable=True))
    op.add_column(TABLE, sa.Column("updated_by", sa.Uuid(), server_default=sa.text(ACTOR), nullable=True))
    op.add_column(TABLE, sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
    for name, rule in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_tenants_tenant_{name}"), TABLE, rule)  # vinc: tenants are few
    for columns in INDEXES:
        op.create_index(name_of(columns), TABLE, columns)  # vinc: tenants are few
    op.create_table(
        "tenants_receipt",
        sa.Column("tenant", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("purged_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("purged_by", sa.Uuid(), server_default=sa.text(ACTOR), nullable=True),
        sa.Column("rows_before", postgresql.JSONB(), nullable=False),
        sa.Column("rows_after", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_tenants_receipt")),
    )


def downgrade() -> None:
    op.drop_table("tenants_receipt")
    for columns in reversed(INDEXES):
        op.drop_index(name_of(columns), TABLE)
    for name in reversed(CHECKS):
        op.drop_constraint(op.f(f"ck_tenants_tenant_{name}"), TABLE)
    for name in ("version", "updated_by", "created_by", "without", "settings", "purge_after", "status"):
        op.drop_column(TABLE, name)
    for name in ("logo_url", "tax_id", "legal_number", "legal_email", "legal_address", "legal_name"):
        op.drop_column(TABLE, name)
