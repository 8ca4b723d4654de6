"""The applications that are measured, as factories for uvicorn. Those called `bare` and `stock` are FastAPI alone."""

import gc
import os
from importlib import import_module

from fastapi import APIRouter, FastAPI

from vinc_kernel.app import Application, create_app
from vinc_kernel.plugins.assemble import collector_paused
from vinc_kernel.settings import Sources, read_settings
from vinc_kernel.telemetry import configure

from .generate import plugin_names


def generated() -> Application:
    """The plugins that plugins.toml names, put together as `vinc_kernel.main` does it."""
    given = Sources(os.environ)
    settings, _ = read_settings(given)
    configure(settings.log)
    with collector_paused():
        made = create_app(settings, given)
    gc.freeze()
    return made


def stock() -> FastAPI:
    """As many generated routers as BENCH_PLUGINS says, included as FastAPI's own documentation does it."""
    app = FastAPI()
    for name in plugin_names(int(os.environ["BENCH_PLUGINS"])):
        router: APIRouter = import_module(f"stock_{name}.router").router
        app.include_router(router, prefix="/api/v1")
    return app
