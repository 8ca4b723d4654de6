"""The table of principals."""

import sqlalchemy as sa
from alembic import op

revision = "9f57eb2a9d97"
down_revision = None

TABLE = "identity_principal"
INDEXES = (
    ["subject"],
    ["email", "id"],
    ["kind", "created_at", "id"],
    ["disabled", "created_at", "id"],
    ["created_at", "id"],
    ["last_seen", "id"],
)


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        TABLE,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="person", nullable=False),
        sa.Column("email", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("tenant", sa.Uuid(), nullable=True),
        sa.Column("disabled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("told", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("generation", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("confirmed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("asking_until", moment, nullable=True),
        sa.Column("expires_at", moment, nullable=True),
        sa.Column("last_seen", moment, nullable=True),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind in ('person', 'service')", name=op.f("ck_identity_principal_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_principal")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_identity_principal_issuer_subject")),
    )
    for columns in INDEXES:
        op.create_index(op.f(f"ix_identity_principal_{'_'.join(columns)}"), TABLE, columns)
    op.create_index(
        "ix_identity_principal_untold",
        TABLE,
        ["asking_until"],
        postgresql_where=sa.text("generation > confirmed or not told"),
    )


def downgrade() -> None:
    op.drop_table(TABLE)
