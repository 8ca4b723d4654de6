"""An application of one little plugin, without a database."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, Protocol

import httpx
import pytest
from fastapi import APIRouter

from vinc_kernel import Contribution, hooks
from vinc_kernel.app import Application, create_app
from vinc_kernel.plugins.arrange import Plugin
from vinc_kernel.settings import KernelSettings, Sources, read_settings
from vinc_testing.servers import TOKEN_SECRET


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
def serve(plugin_of: Callable[[str, Contribution], Plugin]) -> Serve:
    """The application of one plugin, `things`, with these routers and this environment."""

    def make(*routers: APIRouter, **environ: str) -> Application:
        return create_app(settings_of(**environ), plugins=[plugin_of("things", Contribution(routers=routers))])

    return make


def settings_of(**environ: str) -> KernelSettings:
    return read_settings(
        Sources({"VINC_ENV": "test", "VINC_JWT_TEST_SECRET": TOKEN_SECRET, "VINC_LOG_LEVEL": "error", **environ})
    )[0]


@pytest.fixture
def client_of() -> Callable[[Any], httpx.AsyncClient]:
    """A client of an application; its lifespan is not entered."""

    def make(app: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test/api/v1")

    return make


Client = Callable[[Any], httpx.AsyncClient]
Routers = Sequence[APIRouter]
