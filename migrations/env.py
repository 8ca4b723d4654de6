"""Alembic begins here; what it may do, and each plugin's own history, is in vinc_migrations."""

from vinc_migrations.env import run

run()
