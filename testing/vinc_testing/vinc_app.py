"""The application of a test, and what a test may do with it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar, cast

from starlette.types import Receive, Scope, Send

from vinc_kernel.events import Event
from vinc_kernel.runtime import App

from .clients import Client, client_of
from .clock import Clock
from .recorder import EmittedEvents
from .running import started

if TYPE_CHECKING:
    from httpx import Auth

    from vinc_kernel.app import Application

T = TypeVar("T")


class VincApp:
    """The application of every enabled plugin, as an ASGI application; `clock` is the time that it knows."""

    def __init__(self, application: Application, clock: Clock) -> None:
        self.application, self.clock = application, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.application(scope, receive, send)

    def plugin(self, name: str) -> App:
        """Return the application as this plugin sees it; raises LookupError for a plugin that does not run."""
        apps = self.application.runtime.apps
        if name not in apps:
            message = f"there is no plugin {name!r} here; there are: {', '.join(apps)}"
            raise LookupError(message)
        return apps[name]

    def client(
        self, headers: Mapping[str, str] | None = None, *, auth: Auth | None = None, host: str = "127.0.0.1"
    ) -> Client:
        """Return a client of this application; `host` is the address that it calls from."""
        return client_of(self, self.plugin("kernel").api_prefix, headers or {}, auth, host)

    # `type[T]` would not do: type checkers refuse a protocol there, as nobody can make one.
    def override(self, kind: Callable[..., T], service: T) -> None:
        """Put a service in the place of what plugins provide under this type, until the test ends."""
        self.application.runtime.registry.services[cast("type", kind)] = service

    @property
    def events(self) -> list[Event]:
        """Every event that was emitted, in order."""
        return self.application.runtime.registry.find(EmittedEvents) or []

    @asynccontextmanager
    async def started(self) -> AsyncGenerator[VincApp]:
        """Run its lifespan, on an empty Redis database."""
        async with started(self.application):
            yield self
