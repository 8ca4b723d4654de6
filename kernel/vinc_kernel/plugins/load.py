"""Run a plugin's code under a deadline, and tell what it raised in one line.

Loading is running: an import may raise SystemExit, hang, or start threads. It runs in a thread of its own, so that
whatever it raises is its own and a Ctrl-C in the main thread is the user's.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from traceback import walk_stack, walk_tb
from types import FrameType
from typing import Any, TypeVar

from ..endpoints import line_of as function_line
from ..errors import StartError
from ..runtime import App
from ..text import escaped
from .arrange import Plugin

logger = logging.getLogger("vinc.plugins")
T = TypeVar("T")
LONGEST = 500  # characters of an error's text
SECONDS_TO_CANCEL = 2.0  # for what a lifespan's end has under way when its time is over


def bounded(plugin: Plugin, phase: str, seconds: float, work: Callable[[], T], where: str = "") -> T:
    """Run a plugin's code under the deadline; raises StartError for whatever it raises.

    `where` is for an error that no line of the plugin raises.
    """
    done: list[T] = []
    raised: list[tuple[BaseException, StartError]] = []

    def attempt() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001  SystemExit and KeyboardInterrupt are the plugin's own here
            raised.append((error, to_start_error(plugin, phase, error, where)))  # its text is the plugin's code too

    thread = threading.Thread(target=attempt, name=f"vinc-load-{plugin.name}", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise too_slow(plugin, phase, seconds, current_line(plugin, thread))
    if raised:
        error, described = raised[0]
        raise described from error
    return done[0]


def too_slow(plugin: Plugin, phase: str, seconds: float, where: str) -> StartError:
    cure = "move the work into a lifespan hook, or raise VINC_PLUGIN_LOAD_TIMEOUT"
    return plugin.error(phase, f"it takes longer than {seconds:g} s", cure, where)


def current_line(plugin: Plugin, thread: threading.Thread) -> str:
    """The plugin's line that a thread is at."""
    current = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001  the only way to another thread's frame
    for frame, line in walk_stack(current) if current else ():
        if is_own(plugin, frame):
            return f"{frame.f_code.co_filename}:{line}"
    return plugin.where


def is_own(plugin: Plugin, frame: FrameType) -> bool:
    return plugin.owns(str(frame.f_globals.get("__name__", "")))


async def enter(plugin: Plugin, hook: Callable[[App], Any], app: App, stack: AsyncExitStack, seconds: float) -> None:
    """Enter a plugin's lifespan under the deadline, and have `stack` leave it; raises StartError for what it raises."""
    where, opened = function_line(hook), AsyncExitStack()
    async with deadline(plugin, "it", seconds, where):
        await opened.enter_async_context(hook(app))
    stack.push_async_exit(partial(leave, plugin, opened.aclose, seconds, where))


async def leave(
    plugin: Plugin,
    close: Callable[[], Awaitable[None]],
    seconds: float,
    where: str,
    raised: type[BaseException] | None,
    *_: object,
) -> None:
    """Close something of a plugin's under the deadline; log its error, and raise that unless something was `raised`."""
    try:
        async with deadline(plugin, "its end", seconds, where):
            await close()
    except StartError as error:
        logger.warning("%s", error)
        if raised is None:
            raise


@asynccontextmanager
async def deadline(plugin: Plugin, name: str, seconds: float, where: str) -> AsyncGenerator[None]:
    """Bound a part of a lifespan; raises StartError for whatever it raises.

    What blocks the loop, or swallows its cancellation, ends the process: a service must start and stop, or say why not.
    """
    thread = threading.current_thread()

    def end() -> None:
        logger.critical("%s", too_long(plugin, name, seconds, current_line(plugin, thread)))
        os._exit(1)

    last_resort = threading.Timer(seconds + SECONDS_TO_CANCEL, end)
    last_resort.daemon = True
    last_resort.start()
    timeout = asyncio.timeout(seconds)
    try:
        async with timeout:
            yield
    except (Exception, SystemExit) as error:
        described = to_start_error(plugin, "lifespan", error, where)
        raise too_long(plugin, name, seconds, described.where) if timeout.expired() else described from error
    finally:
        last_resort.cancel()


def too_long(plugin: Plugin, name: str, seconds: float, where: str) -> StartError:
    cure = "mend the plugin, or raise VINC_PLUGIN_LOAD_TIMEOUT"
    return plugin.error("lifespan", f"{name} takes longer than {seconds:g} s", cure, where)


async def ask_health(plugin: Plugin, hook: Callable[[App], Awaitable[None]], app: App) -> None:
    """Raise when the plugin is down; a SystemExit of its own must not end the worker."""
    try:
        await hook(app)
    except SystemExit as error:
        raise to_start_error(plugin, "health", error, function_line(hook)) from error


def to_start_error(plugin: Plugin, phase: str, error: BaseException, otherwise: str = "") -> StartError:
    """The one line about what a plugin raised: class and text of the error, and the plugin's innermost line."""
    if isinstance(error, StartError):
        return error
    name = type(error).__name__
    text = "" if phase == "settings" else text_of(error)  # a validator may tell the value, a secret
    what = f"{name}: {text}" if text else name
    return plugin.error(phase, what, mend_or_disable(plugin), line_in(plugin, error) or otherwise)


def mend_or_disable(plugin: Plugin) -> str:
    return f"mend the plugin, or disable it with: vinc plugins disable {plugin.name}"


def text_of(error: BaseException) -> str:
    """The error's text on one line; its `__str__` is foreign code, and may raise anything or say too much."""
    try:
        text = str.__getitem__(str(error), slice(LONGEST * 2))  # of a subclass of str, too, a real one
    except BaseException as other:  # noqa: BLE001  a SystemExit of its text must not end the process
        return f"its text cannot be had, for {type(other).__name__}"
    text = escaped(" ".join(text.split()))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def line_in(plugin: Plugin, error: BaseException) -> str:
    """`file:line` of the innermost frame inside the plugin's package, of the error or of its cause; else empty."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    if own := [at for at in walk_tb(error.__traceback__) if is_own(plugin, at[0])]:
        frame, line = own[-1]
        return f"{frame.f_code.co_filename}:{line}"
    return line_in(plugin, error.__cause__) if error.__cause__ else ""
