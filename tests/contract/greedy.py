"""The plugin `notes` with a purge that forgets whose rows it takes: what the model of tenancy must notice."""

from __future__ import annotations

from sqlalchemy import delete

from vinc_kernel import Context, hooks

from .notes import NOTE, contribute, welcome

EVERYTHING = delete(NOTE)
__all__ = ["contribute", "forget", "welcome"]


@hooks.tenant_purge
async def forget(context: Context) -> None:
    await context.session.execute(EVERYTHING)
