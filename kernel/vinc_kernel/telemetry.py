"""Logs: one structured line a request, JSON in production and readable in a terminal; control characters escaped."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import structlog

from .context import current
from .settings import LogSettings
from .text import escaped, unprintable

logger = logging.getLogger("vinc")
Event = MutableMapping[str, Any]


def escape(_: object, __: str, event: Event) -> Event:
    """Make every text of a record printable; what uvicorn repeats for coloured terminals is left out."""
    event.pop("color_message", None)
    for key, value in event.items():
        if isinstance(value, str) and unprintable.search(value) and key != "exception":
            event[key] = escaped(value)
    return event


def say_for_whom(_: object, __: str, event: Event) -> Event:
    """Add whose request a record belongs to: without that nobody finds the lines of one problem."""
    context = current.get()
    if context is not None:
        event.setdefault("request_id", context.request_id)
        event.setdefault("tenant", str(context.tenant_id) if context.tenant else "vinc")
        event.setdefault("plugin", context.app.plugin)
    return event


def frames_only(_: object, __: str, event: Event) -> Event:
    """Of an exception its class and the lines it went through: its text may carry what a caller sent."""
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else sys.exc_info()[1] if given is True else given
    if isinstance(error, BaseException):
        event["error"] = f"{type(error).__module__}.{type(error).__qualname__}"
        event["frames"] = frames_of(error)
    return event


def frames_of(error: BaseException) -> list[str]:
    frames, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames


def configure(settings: LogSettings, *, debug: bool = False, stream: TextIO = sys.stdout) -> None:
    """Send the whole process's records to one stream in one form; with `debug`, tracebacks have their texts."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        say_for_whom,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if debug else frames_only,
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
        theirs = logging.getLogger(name)
        theirs.handlers[:], theirs.propagate = [], name != "uvicorn.access"
    logging.getLogger("httpx").setLevel(logging.WARNING)  # below that it tells whole addresses, with their queries


def request_log(settings: LogSettings, stream: TextIO = sys.stdout) -> Callable[..., object] | None:
    """What writes the one line a request, or None; a record of the standard library costs three times as much."""
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
