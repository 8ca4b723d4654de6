"""`app`, for `uvicorn vinc_kernel.main:app`; the settings come from the environment."""

from __future__ import annotations

import os
import sys

from .app import Application, create_app
from .errors import VincError
from .plugins.assemble import collector_paused
from .plugins.quarantine import OUTCOME, take_over
from .settings import Sources, read_settings
from .telemetry import configure, logger

CANNOT_START = 3  # uvicorn's code for it: on any other its supervisor would start the worker again, for ever


def application() -> Application:
    """The application of this process; what stops the start is one line a problem, and the process ends."""
    try:
        given = Sources.read(os.environ)
        settings, _ = read_settings(given)
        configure(settings.log, debug=settings.service.debug)
        outcome = os.environ.pop(OUTCOME, None)  # `vinc serve` has tried the plugins
        made = create_app(settings, given, plugins=take_over(outcome, settings) if outcome else None)
    except VincError as error:
        for line in str(error).splitlines():
            print(f"vinc: {line}", file=sys.stderr)
        sys.exit(CANNOT_START)
    for line in made.assembly.unread(given, settings):
        logger.warning(line)
    return made


with collector_paused():
    app = application()
