"""Alembic begins here; what it may do, and each plugin's own history, is in vinc_kernel.migrations."""

from vinc_kernel.migrations.env import run

run()
