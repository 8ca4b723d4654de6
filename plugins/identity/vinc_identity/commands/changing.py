"""Disable and enable principals, and end their sessions: alike for people and service accounts."""

from __future__ import annotations

from vinc_kernel import App

from ..schemas import Stored
from ..service import changes, telling
from .printing import say_done


async def disable_found(app: App, found: Stored) -> None:
    async with app.platform_session("an operator disables a principal") as db:
        await changes.disable(app, db, found.id)
    say_done(app, await telling.told(app, found.id), "is disabled")


async def enable_found(app: App, found: Stored) -> None:
    async with app.platform_session("an operator enables a principal") as db:
        await changes.enable(app, db, found.id)
    say_done(app, await telling.told(app, found.id), "is enabled")


async def end_sessions_of(app: App, found: Stored) -> None:
    async with app.platform_session("an operator ends a principal's sessions") as db:
        await changes.end_sessions(app, db, found.id)
    say_done(app, await telling.told(app, found.id), "has no session any more")
