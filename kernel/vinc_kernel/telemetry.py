"""Logs: one structured line a request, JSON in production and readable in a terminal; control characters escaped."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import structlog

from .context import current
from .settings import LogSettings
from .text import escaped, unprintable

logger = logging.getLogger("vinc")
Event = MutableMapping[str, Any]


def escape(_: object, __: str, event: Event) -> Event:
    """Make every text of a record printable; leave out what uvicorn repeats for coloured terminals."""
    event.pop("color_message", None)
    for key, value in event.items():
        if isinstance(value, str) and unprintable.search(value) and key != "exception":
            event[key] = escaped(value)
    return event


def add_request(_: object, __: str, event: Event) -> Event:
    """Add the request that a record belongs to: with it, one finds all lines of one problem."""
    context = current.get()
    if context is not None:
        event.setdefault("request_id", context.request_id)
        event.setdefault("tenant", str(context.tenant_id) if context.tenant else "vinc")
        event.setdefault("plugin", context.app.plugin)
    return event


def replace_traceback(_: object, __: str, event: Event) -> Event:
    """Keep the class of an exception and its frames, without its text, which may hold what a caller sent."""
    info = event.pop("exc_info", None)
    error = info[1] if isinstance(info, tuple) else sys.exc_info()[1] if info is True else info
    if isinstance(error, BaseException):
        event["error"] = f"{type(error).__module__}.{type(error).__qualname__}"
        event["frames"] = [
            f"{frame.f_code.co_filename}:{line} {frame.f_code.co_name}"
            for frame, line in traceback.walk_tb(error.__traceback__)
        ]
    return event


def configure(settings: LogSettings, *, debug: bool = False, stream: TextIO = sys.stdout) -> None:
    """Send all log records of the process to one stream in one form; with `debug`, with whole tracebacks."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        add_request,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if debug else replace_traceback,
        escape,
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer(settings, stream)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        uvicorn_logger = logging.getLogger(name)
        uvicorn_logger.handlers[:], uvicorn_logger.propagate = [], name != "uvicorn.access"
    logging.getLogger("httpx").setLevel(logging.WARNING)  # below that it logs whole addresses, with their queries


def request_log(settings: LogSettings, stream: TextIO = sys.stdout) -> Callable[..., object] | None:
    """Return what writes the line of a request, or None; a record of `logging` costs three times as much."""
    if logging.getLevelNamesMapping()[settings.level.upper()] > logging.INFO:
        return None
    logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            escape,
            renderer(settings, stream),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return logger.info


def renderer(settings: LogSettings, stream: TextIO) -> structlog.typing.Processor:
    if settings.format == "text" or (settings.format == "auto" and stream.isatty()):
        return structlog.dev.ConsoleRenderer(colors=stream.isatty())
    encode = json.JSONEncoder(default=repr).encode  # made once: `json.dumps` with a default makes one a call
    return structlog.processors.JSONRenderer(lambda event, **_: encode(event))
