"""`app`, for `uvicorn vinc_kernel.main:app`; the settings come from the environment."""

from __future__ import annotations

import os
import sys

from .app import Application, create_app
from .errors import VincError
from .plugins.assemble import collector_paused
from .plugins.trials import FAILURES, load_failures
from .settings import Sources, read_settings
from .telemetry import configure, logger

CANNOT_START = 3  # uvicorn's code for it: on any other its supervisor would start the worker again, for ever


def application() -> Application:
    """The application of this process; what stops the start is one line a problem, and the process ends."""
    try:
        given = Sources.read(os.environ)
        settings, _ = read_settings(given)
        configure(settings.log, debug=settings.service.debug)
        failures = os.environ.pop(FAILURES, None)  # `vinc serve` has tried the plugins
        made = create_app(settings, given, plugins=load_failures(failures, settings) if failures else None)
    except VincError as error:
        for line in str(error).splitlines():
            print(f"vinc: {line}", file=sys.stderr)
        sys.exit(CANNOT_START)
    for line in made.assembly.unread(given, settings):
        logger.warning(line)
    return made


with collector_paused():
    app = application()
