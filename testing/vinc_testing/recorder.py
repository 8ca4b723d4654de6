"""A plugin that remembers every event that was emitted, for `vinc_app.events`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from vinc_kernel import hookspecs as hooks
from vinc_kernel.context import Context
from vinc_kernel.events import Event
from vinc_kernel.runtime import App


class EmittedEvents(list[Event]):
    """Events in the order in which they were emitted, also those of a transaction that was rolled back."""


@hooks.lifespan
@asynccontextmanager
async def provide_events(app: App) -> AsyncGenerator[None]:
    app.provide(EmittedEvents())
    yield


@hooks.on(Event)
async def record(events: Sequence[Event], context: Context) -> None:
    context.app.get(EmittedEvents).extend(events)
