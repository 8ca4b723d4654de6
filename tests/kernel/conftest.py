"""An application of one little plugin, without a database."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from uuid import UUID

import httpx
import pytest
from starlette.types import ASGIApp, Message, Scope

from vinc_kernel import Contribution, Tenant, hooks
from vinc_kernel.app import Application, create_app
from vinc_kernel.plugins.arrange import Plugin
from vinc_kernel.settings import Sources, read_settings
from vinc_testing.running import plugin_of as plugin_of_module
from vinc_testing.servers import TOKEN_SECRET

AppOf = Callable[..., Application]


@pytest.fixture
def plugin_of() -> Iterator[Callable[[str, Contribution], Plugin]]:
    """Make a plugin of a contribution, without a distribution."""
    made: list[str] = []

    def make(name: str, contribution: Contribution) -> Plugin:
        module = ModuleType(f"made_{name}.plugin")
        module.contribute = hooks.contribute(lambda: contribution)  # type: ignore[attr-defined]  # as a file would
        sys.modules[module.__name__] = module
        made.append(module.__name__)
        return plugin_of_module(name, module)

    yield make
    for name in made:
        sys.modules.pop(name, None)


@pytest.fixture
def app_of(plugin_of: Callable[[str, Contribution], Plugin]) -> AppOf:
    """Make the application of these plugins by name, in this environment."""

    def make(environ: Mapping[str, str] = {}, /, **contributions: Contribution) -> Application:
        given = {"VINC_ENV": "test", "VINC_JWT_TEST_SECRET": TOKEN_SECRET, "VINC_LOG_LEVEL": "error", **environ}
        plugins = [plugin_of(name, contribution) for name, contribution in contributions.items()]
        return create_app(read_settings(Sources(given))[0], plugins=plugins)

    return make


def client_of(app: Any) -> httpx.AsyncClient:
    """A client of an application; its lifespan is not entered."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test/api/v1")


@dataclass
class OneTenant:
    """A directory of one tenant."""

    known: Tenant

    async def find(self, _: UUID | str) -> Tenant | None:
        return self.known


async def talk(app: ASGIApp, path: str, headers: dict[str, str] | None = None) -> list[Message]:
    """What an application sends to a WebSocket that connects."""
    sent: list[Message] = []
    scope: Scope = {
        "type": "websocket",
        "path": f"/api/v1{path}",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "subprotocols": [],
    }

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


@pytest.fixture
def root_logger() -> Iterator[None]:
    """What a test configures is taken away afterwards."""
    root, handlers, level = logging.root, list(logging.root.handlers), logging.root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
