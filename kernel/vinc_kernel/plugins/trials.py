"""Find the optional plugins that cannot be loaded, in child processes, before this process loads any.

Loading is running: an import may end the process, hang, or change what all share. A child loads all plugins in order
and ends with the first optional one that fails; the next child goes on without it, until one comes through. A plugin
that failed was never in the serving process, so nothing is to be undone there.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from signal import SIGKILL, Signals
from subprocess import PIPE, Popen, TimeoutExpired
from threading import Timer
from time import monotonic
from typing import Any

from pydantic import BaseModel, TypeAdapter

from ..errors import StartError, VincError
from ..settings import KernelSettings, Sources
from .arrange import Plugin, enabled, with_broken_needs
from .load import mend_or_disable, too_slow

COMMAND = [sys.executable, "-P", "-m", f"{__package__}.trial"]  # -P: nothing in the working directory hides a library
FAILURES = "FAILED_VINC_PLUGINS"  # the environment variable with the file in which `vinc serve` tells its workers
START_SECONDS = 60.0  # for the child to import the kernel
GRACE_SECONDS = 2.0  # beyond the child's own deadline, which names the line that hangs


class Failure(BaseModel):
    """Why a plugin failed, and the names of its hooks and of the kinds of events that they listen to."""

    plugin: str
    required: bool
    listens: tuple[str, ...]
    hooks: tuple[str, ...] | None
    error: dict[str, str]


class Outcome(BaseModel):
    """The failures of a child, and what each of the other plugins contributes."""

    failures: list[Failure]
    contributions: dict[str, Any]


REPORT = TypeAdapter[tuple[str, str] | Outcome](tuple[str, str] | Outcome)
FAILED = TypeAdapter(list[Failure])


def select_plugins(settings: KernelSettings, sources: Sources) -> list[Plugin]:
    """The enabled plugins in order; an optional one that cannot be loaded has a fault.

    No process is started where all are required.
    """
    plugins = enabled(settings)
    if all(one.required or one.fault for one in plugins):
        return plugins
    return try_plugins(plugins, settings, sources)[0]


def try_plugins(
    plugins: list[Plugin], settings: KernelSettings, sources: Sources
) -> tuple[list[Plugin], Mapping[str, Any]]:
    """Try all that have no fault; return all, with a fault where one failed, and what each of the others contributes.

    Each child but the last finds optional ones that fail; required ones fail in the last.
    """
    while True:
        request = {
            "environ": dict(sources.environ),
            "dotenv": dict(sources.dotenv),
            "path": sys.path,
            "plugins": [one.name for one in plugins if not one.fault],
        }
        outcome = run_child(json.dumps(request).encode(), plugins, settings.plugins.load_timeout)
        plugins = with_failures(plugins, outcome.failures)
        if all(failure.required for failure in outcome.failures):
            return plugins, outcome.contributions


def run_child(request: bytes, plugins: Sequence[Plugin], seconds: float) -> Outcome:
    """The outcome of one child; of one that died or was killed, the failure of the plugin that it was at."""
    at: tuple[str, str] | None = None
    limit, since = START_SECONDS, monotonic()
    # In a session of its own, where a Ctrl-C for this process does not look like the end of a plugin.
    with Popen(COMMAND, stdin=PIPE, stdout=PIPE, start_new_session=True) as child:  # noqa: S603  our own module
        try:
            if child.stdin:
                with suppress(BrokenPipeError), child.stdin:
                    child.stdin.write(request)
            while (line := read_line(child, limit)).endswith(b"\n"):
                try:
                    report = REPORT.validate_json(line)
                except ValueError:  # a plugin wrote it, and can be tried no further
                    kill(child)
                    break
                if isinstance(report, Outcome):
                    return report
                at, limit, since = report, seconds + GRACE_SECONDS, monotonic()
            is_late = monotonic() - since >= limit
            with suppress(TimeoutExpired):
                child.wait(GRACE_SECONDS)
        finally:
            kill(child)
    code = child.returncode
    ending = f"with exit code {code}" if code >= 0 else f"by {Signals(-code).name}"
    plugin = next((one for one in plugins if at and one.name == at[0]), None)
    if at is None or plugin is None:
        what, where = f"the process that tries plugins ended {ending}", " ".join(COMMAND)
        raise StartError(what, plugin="plugins", phase="import", where=where, cure="see what it has written")
    what, cure = f"it ended the process that loaded it, {ending}", mend_or_disable(plugin)
    error = too_slow(plugin, at[1], seconds, plugin.where) if is_late else plugin.error(at[1], what, cure)
    return Outcome(failures=[to_failure(plugin, error)], contributions={})


def read_line(child: Popen[bytes], seconds: float) -> bytes:
    """The child's next line; an empty one, or half of one, when it has ended or is killed for passing the deadline."""
    timer = Timer(seconds, kill, [child])
    timer.start()
    try:
        return child.stdout.readline() if child.stdout else b""
    finally:
        timer.cancel()


def kill(child: Popen[bytes]) -> None:
    """Kill a child, and what plugins have started there."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, SIGKILL)


def to_failure(plugin: Plugin, error: StartError) -> Failure:
    """A plugin's failure as JSON has it."""
    parts = {key: str(getattr(error, key)) for key in ("what", "plugin", "phase", "where", "cure")}
    return Failure(
        plugin=plugin.name, required=plugin.required, listens=plugin.listens, hooks=plugin.hooks, error=parts
    )


def with_failures(plugins: Iterable[Plugin], failures: Iterable[Failure]) -> list[Plugin]:
    """Add each failure to its plugin, as the fault, and a fault to each plugin that needs one of those."""
    by_name = {failure.plugin: failure for failure in failures}
    return with_broken_needs(with_failure(one, by_name.get(one.name)) for one in plugins)


def with_failure(one: Plugin, failure: Failure | None) -> Plugin:
    if failure is None:
        return one
    fault = StartError(**failure.error)
    return replace(one, fault=fault, required=failure.required, listens=failure.listens, hooks=failure.hooks)


def dump_failures(plugins: Iterable[Plugin]) -> str:
    return FAILED.dump_json([to_failure(one, one.fault) for one in plugins if one.fault]).decode()


def load_failures(file: str, settings: KernelSettings) -> list[Plugin]:
    """The enabled plugins in order, with the failures that another process has dumped into a file."""
    try:
        failures = FAILED.validate_json(Path(file).read_bytes())
    except (OSError, ValueError) as error:
        message = f"{FAILURES}: it names no file of failures: unset it, `vinc serve` sets it for its own workers"
        raise VincError(message) from error
    return with_failures(enabled(settings), failures)
