"""Load plugins in a process of its own, and report: `python -m vinc_kernel.plugins.trial`, which `trials` runs.

It is told as JSON on stdin what to load, and reports in lines of JSON: `[plugin, phase]` before each step, and the
outcome. Plugins may print while they are imported, so reports go to the file descriptor that this process began with.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..hookspecs import HOOKS, kind_of, on
from ..settings import Sources, read_settings
from .arrange import Plugin, enabled
from .assemble import AssembledPlugin, Assembly, LoadOptions, load_plugins
from .check import commands_of
from .trials import GRACE_SECONDS, START_SECONDS, Outcome, to_failure


def contributed(assembly: Assembly, one: AssembledPlugin) -> dict[str, Any]:
    """What a plugin adds, by name, for people who look."""
    contribution = one.contribution
    return {
        "routes": sorted(f"{method} {each.path}" for each in one.endpoints for method in each.methods - {"HEAD"}),
        "tables": sorted(str(model.__tablename__) for model in contribution.models),
        "capabilities": sorted(map(str, contribution.capabilities)),
        "roles": sorted(role.name for role in contribution.roles),
        "provides": sorted(protocol.__name__ for protocol in contribution.provides),
        "settings": sorted(contribution.settings.model_fields) if contribution.settings else [],
        "tenant_settings": sorted(contribution.tenant_settings.model_fields) if contribution.tenant_settings else [],
        "commands": sorted(" ".join(words) for words, _ in commands_of(contribution)),
        "hooks": [name for name in HOOKS if assembly.hooks(name, one.plugin.name)],
    }


def with_hooks(assembly: Assembly, plugin: Plugin) -> Plugin:
    """Add the names of a plugin's hooks, and of the event classes that it listens to, once they are registered."""
    if not assembly.manager.has_plugin(plugin.name):
        return plugin
    kinds = map(kind_of, assembly.hooks(on.name, plugin.name))
    listens = tuple(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds)
    return replace(plugin, listens=listens, hooks=tuple(one for one in HOOKS if assembly.hooks(one, plugin.name)))


def run_trial(request: dict[str, Any], report: Callable[[str, str], None]) -> Outcome:
    """Load these of the enabled plugins; return the failures, and what each of the others contributes."""
    sys.path[:] = request["path"]
    sources = Sources(request["environ"], request["dotenv"])
    settings, _ = read_settings(sources)
    plugins = [one for one in enabled(settings) if one.name in request["plugins"]]
    limit = settings.plugins.load_timeout + 2 * GRACE_SECONDS

    def begin(plugin: str, phase: str) -> None:
        signal.setitimer(signal.ITIMER_REAL, limit)  # it ends even where whoever started it is killed
        report(plugin, phase)

    options = LoadOptions(settings=settings, sources=sources, is_trial=True, report=begin)
    assembly = load_plugins(plugins, options)
    return Outcome(
        failures=[to_failure(with_hooks(assembly, one.plugin), one.error) for one in assembly.failed if one.error],
        contributions={one.plugin.name: contributed(assembly, one) for one in assembly.ready},
    )


def main() -> None:
    reports = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.register_at_fork(after_in_child=reports.close)  # the end of this process is the end of its reports
    signal.setitimer(signal.ITIMER_REAL, START_SECONDS)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    logging.disable()  # whoever started this tells of what fails

    def write(report: str) -> None:
        print(report, file=reports, flush=True)

    try:
        outcome = run_trial(json.load(sys.stdin), lambda plugin, phase: write(json.dumps([plugin, phase])))
        write(outcome.model_dump_json())
    except (KeyboardInterrupt, BrokenPipeError):  # whoever started this is gone, or going
        os._exit(1)
    os._exit(0)  # a plugin may have left threads that would not let this process end


if __name__ == "__main__":
    main()
