"""An application of one little plugin, without a database."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any, Protocol

import httpx
import pytest
from fastapi import APIRouter

from vinc_kernel import Contribution, hooks
from vinc_kernel.app import Application, create_app
from vinc_kernel.plugins.arrange import Plugin
from vinc_kernel.settings import Sources, read_settings
from vinc_testing.servers import TOKEN_SECRET

AppOf = Callable[..., Application]


class Serve(Protocol):
    def __call__(self, *routers: APIRouter, **environ: str) -> Application: ...


@pytest.fixture
def plugin_of() -> Iterator[Callable[[str, Contribution], Plugin]]:
    """Make a plugin of a contribution, without a distribution."""
    made: list[str] = []

    def make(name: str, contribution: Contribution) -> Plugin:
        module = ModuleType(f"made_{name}.plugin")
        module.contribute = hooks.contribute(lambda: contribution)  # type: ignore[attr-defined]  # as a file would
        sys.modules[module.__name__] = module
        made.append(module.__name__)
        return Plugin(
            name=name,
            module=module.__name__,
            package=f"made_{name}",
            distribution=name,
            version="1",
            enabled=True,
            required=True,
        )

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


@pytest.fixture
def serve(app_of: AppOf) -> Serve:
    """The application of one plugin, `things`, with these routers and this environment."""

    def make(*routers: APIRouter, **environ: str) -> Application:
        return app_of(environ, things=Contribution(routers=routers))

    return make


def client_of(app: Any) -> httpx.AsyncClient:
    """A client of an application; its lifespan is not entered."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test/api/v1")
