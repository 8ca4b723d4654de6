"""The application of a test: every enabled plugin, on this run's servers, started."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from time import time
from types import ModuleType
from typing import TYPE_CHECKING

from .clients import in_one_task
from .databases import environment

if TYPE_CHECKING:
    from vinc_kernel.app import Application
    from vinc_kernel.plugins.arrange import Plugin

    from .servers import Servers

TENANTS, IDENTITY, RECORDER = "tenants", "identity", "recorder"
REDIS_DATABASES = 16  # Valkey's and Redis' default


def make_application(
    environ: Mapping[str, str], beside: Mapping[str, ModuleType], clock: Callable[[], float] = time
) -> Application:
    """The application that these settings describe, not started, with these plugins `beside` the installed ones.

    Others stand in where no plugin knows tenants, or the role of the platform.
    """
    from vinc_kernel.app import create_app
    from vinc_kernel.plugins.trials import select_plugins
    from vinc_kernel.settings import Sources, read_settings

    from . import recorder, roles, tenants
    from .servers import TOKEN_SECRET

    test = {"VINC_ENV": "test", "VINC_JWT_TEST_SECRET": TOKEN_SECRET, **environ}
    sources = Sources(Sources.read(os.environ).merged() | test)
    settings, _ = read_settings(sources)
    plugins = [*select_plugins(settings, sources), *(plugin_of(name, module) for name, module in beside.items())]
    for name, stand_in in ((TENANTS, tenants), (IDENTITY, roles)):
        if not any(plugin.name == name for plugin in plugins):
            plugins.append(plugin_of(name, stand_in))
    plugins.append(plugin_of(RECORDER, recorder))
    return create_app(settings, sources, plugins=plugins, clock=clock)


def plugin_of(name: str, module: ModuleType) -> Plugin:
    """A required plugin that is this module, of no distribution of its own."""
    from vinc_kernel.plugins.arrange import Plugin

    return Plugin(
        name=name,
        module=module.__name__,
        package=module.__name__.rpartition(".")[0],
        distribution="vinc-kernel",
        version="0",
        enabled=True,
        required=True,
        where=module.__name__,
    )


@asynccontextmanager
async def started(app: Application) -> AsyncGenerator[Application]:
    """With its lifespan entered, and its Redis database empty."""
    async with in_one_task(app.lifespan()):
        if app.runtime.redis is not None:
            await app.runtime.redis.flushdb()
        yield app


def pointing_at(servers: Servers, database: str, worker: str) -> dict[str, str]:
    """The settings that point an application at this worker's databases."""
    number = int(worker.removeprefix("gw")) if worker.startswith("gw") else 0
    return environment(servers, database, servers.redis_database(number % REDIS_DATABASES))
