"""The tables of accounts, keys, sessions, links and counted tries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "f8153c7b4459"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "devissuer_key",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("private_jwk", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_devissuer_key")),
    )
    op.create_table(
        "devissuer_user",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("temporary", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("tenants", postgresql.JSONB(), nullable=False),
        sa.Column("customers", postgresql.JSONB(), nullable=False),
        sa.Column("addresses", postgresql.JSONB(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(email is null) <> (client_id is null)", name=op.f("ck_devissuer_user_is_person_or_service")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devissuer_user")),
        sa.UniqueConstraint("email", name=op.f("uq_devissuer_user_email")),
        sa.UniqueConstraint("client_id", name=op.f("uq_devissuer_user_client_id")),
    )
    op.create_table(
        "devissuer_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("family_hash", sa.Text(), nullable=False),
        sa.Column("refresh_hash", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["devissuer_user.id"], name=op.f("fk_devissuer_session_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devissuer_session")),
        sa.UniqueConstraint("family_hash", name=op.f("uq_devissuer_session_family_hash")),
    )
    op.create_index(op.f("ix_devissuer_session_user_id"), "devissuer_session", ["user_id"])
    op.create_table(
        "devissuer_invite",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["devissuer_user.id"], name=op.f("fk_devissuer_invite_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_devissuer_invite")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_devissuer_invite_token_hash")),
    )
    op.create_table(
        "devissuer_failure",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_devissuer_failure")),
    )


def downgrade() -> None:
    for name in ("failure", "invite", "session", "user", "key"):
        op.drop_table(f"devissuer_{name}")
