"""Disable and enable principals, and end their sessions: alike for people and service accounts."""

from __future__ import annotations

from vinc_kernel import App

from ..schemas import Stored
from ..service import changes
from .printing import say_done


async def disable_found(app: App, found: Stored) -> None:
    say_done(app, await changes.disable(app, found.id), "is disabled")


async def enable_found(app: App, found: Stored) -> None:
    say_done(app, await changes.enable(app, found.id), "is enabled")


async def end_sessions_of(app: App, found: Stored) -> None:
    say_done(app, await changes.end_sessions(app, found.id), "has no session any more")
