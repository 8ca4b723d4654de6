"""Find the optional plugins that cannot be loaded, in child processes, before this process loads any.

Loading is running: an import may end the process, hang, or change what all share. A child loads all plugins in order
and ends with the first optional one that fails; the next child goes on without it, until one comes through. A plugin
that failed was never in the serving process, so nothing is to be undone there.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from subprocess import PIPE, Popen, TimeoutExpired
from threading import Timer
from time import monotonic
from typing import Any

from ..errors import StartError, StartErrors
from ..settings import KernelSettings, Sources
from .arrange import Plugin, arrange
from .failure import Failure, with_failures
from .load import mend_or_disable, too_slow

OUTCOME = "QUARANTINED_PLUGINS"  # the environment variable in which `vinc serve` hands it to its workers
START_SECONDS = 60.0  # for the child to import the kernel
COMMAND = [sys.executable, "-P", "-m", f"{__package__}.trial"]  # -P: nothing in the working directory hides a library
GRACE_SECONDS = 2.0  # beyond the child's own deadline, which names the line that hangs


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """The plugins, with a fault where one failed; and what each of the others contributes, by its name."""

    plugins: list[Plugin]
    contributions: Mapping[str, Mapping[str, Any]]


def select_plugins(settings: KernelSettings, sources: Sources) -> list[Plugin]:
    """The enabled plugins in order, tried; raises StartErrors for required ones that cannot run."""
    return quarantine(arrange(settings), settings, sources)


def quarantine(plugins: Sequence[Plugin], settings: KernelSettings, sources: Sources) -> list[Plugin]:
    """Give each optional plugin that cannot be loaded its fault; raises StartErrors for required ones.

    No process is started where all are required.
    """
    if all(one.required or one.fault for one in plugins):
        return list(plugins)
    tried = try_plugins(plugins, settings, sources).plugins
    if errors := [one.fault for one in tried if one.fault and one.required]:
        raise StartErrors(errors)
    return tried


def try_plugins(plugins: Sequence[Plugin], settings: KernelSettings, sources: Sources) -> Trials:
    """Run children until one comes through, or fails for required plugins alone."""
    while True:
        request = {
            "environ": dict(sources.environ),
            "dotenv": dict(sources.dotenv),
            "path": sys.path,
            "excluded": [one.name for one in plugins if one.fault],
        }
        failures, contributions = run_child(plugins, json.dumps(request).encode(), settings.plugins.load_timeout)
        plugins = with_failures(plugins, failures)
        if all(one.required for one in failures):
            return Trials(plugins=plugins, contributions=contributions)


def run_child(plugins: Sequence[Plugin], request: bytes, seconds: float) -> tuple[list[Failure], dict[str, Any]]:
    """The failures and the contributions that one child reports; it is killed when a phase passes the deadline."""
    at: list[str] = []
    limit, since = START_SECONDS, monotonic()
    with Popen(COMMAND, stdin=PIPE, stdout=PIPE) as child:  # noqa: S603  our own module
        try:
            send(child, request)
            while line := read_line(child, limit):
                message = json.loads(line)
                if isinstance(message, dict):
                    return [Failure(**one) for one in message["failures"]], message["contributions"]
                at, limit, since = message, seconds + GRACE_SECONDS, monotonic()
            is_late = monotonic() - since >= limit
            with suppress(TimeoutExpired):
                child.wait(GRACE_SECONDS)
        finally:
            child.kill()
    if not at:
        what = f"the process that tries them ended, {ending(child.returncode)}"
        raise StartError(
            what, plugin="plugins", phase="import", where=" ".join(COMMAND), cure="see what it has written"
        )
    plugin = next(one for one in plugins if one.name == at[0])
    if is_late:
        error = too_slow(plugin, at[1], seconds, plugin.where)
    else:
        what = f"it ended the process that loaded it, {ending(child.returncode)}"
        cure = mend_or_disable(plugin)
        error = StartError(what, plugin=plugin.name, phase=at[1], where=plugin.where, cure=cure)
    return [Failure.of(error, required=plugin.required)], {}


def send(child: Popen[bytes], request: bytes) -> None:
    if child.stdin:
        with suppress(BrokenPipeError), child.stdin:
            child.stdin.write(request)


def read_line(child: Popen[bytes], seconds: float) -> bytes:
    """The child's next line; empty when it has ended, or is killed because the line takes longer."""
    timer = Timer(seconds, child.kill)
    timer.start()
    try:
        return child.stdout.readline() if child.stdout else b""
    finally:
        timer.cancel()


def ending(code: int) -> str:
    return f"with exit code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"


def hand_over(plugins: Sequence[Plugin]) -> str:
    """The outcome as text, for processes that need not try again."""
    failures = [Failure.of(one.fault, required=one.required, listens=one.listens) for one in plugins if one.fault]
    return json.dumps([asdict(one) for one in failures])


def take_over(outcome: str, settings: KernelSettings) -> list[Plugin]:
    """The enabled plugins in order, as another process has tried them."""
    return with_failures(arrange(settings), [Failure(**one) for one in json.loads(outcome)])
