"""`app`, for `uvicorn vinc_kernel.main:app`; the settings come from the environment."""

from __future__ import annotations

import os
import sys
from threading import Timer

from .app import Application, create_app
from .errors import VincError
from .plugins.assemble import collector_paused
from .plugins.trials import FAILURES, load_failures
from .settings import Sources, read_settings
from .telemetry import configure, logger

SECONDS_TO_END = 2.0
CANNOT_START = 3  # uvicorn's code for it: on any other its supervisor would start the worker again, for ever


def application() -> Application:
    """Return the application of this process; a VincError is one line a problem, and ends the process."""
    try:
        sources = Sources.read(os.environ)
        settings, _ = read_settings(sources)
        configure(settings.log, debug=settings.service.debug)
        failures = os.environ.pop(FAILURES, None)  # `vinc serve` has tried the plugins
        app = create_app(settings, sources, plugins=load_failures(failures, settings) if failures else None)
    except VincError as error:
        for line in str(error).splitlines():
            print(f"vinc: {line}", file=sys.stderr)
        sys.exit(CANNOT_START)
    for line in app.assembly.unread(sources, settings):
        logger.warning(line)
    return app


def end_soon() -> None:
    """End the process soon, whatever goes on: a loop that closes waits for all threads and tasks of plugins."""
    timer = Timer(SECONDS_TO_END, os._exit, [1])
    timer.daemon = True
    timer.start()


with collector_paused():
    app = application()
app.on_stopped = end_soon
