"""Rename the columns that track the synchronisation with the identity provider."""

from alembic import op

revision = "3b7d0e52c9a6"
down_revision = "9f57eb2a9d97"

COLUMNS = {
    "told": "provider_synced",
    "confirmed": "provider_generation",
    "asking_until": "lease_expires_at",
}


def upgrade() -> None:
    for old, new in COLUMNS.items():
        op.execute(f"alter table identity_principal rename column {old} to {new}")
    op.execute("alter index ix_identity_principal_untold rename to ix_identity_principal_unsynced")


def downgrade() -> None:
    op.execute("alter index ix_identity_principal_unsynced rename to ix_identity_principal_untold")
    for old, new in COLUMNS.items():
        op.execute(f"alter table identity_principal rename column {new} to {old}")
