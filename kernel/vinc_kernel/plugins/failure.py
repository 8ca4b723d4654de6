"""Why a plugin failed in a trial, as data that one process tells another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..errors import StartError
from .arrange import Plugin, with_broken_needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a StartError says; whether it stops the start; and the kinds of events that the plugin listens to."""

    plugin: str
    phase: str
    what: str
    where: str
    cure: str
    required: bool
    listens: tuple[str, ...] = ()  # qualified names of event classes, of its `on` hooks; empty before it is registered

    @classmethod
    def of(cls, error: StartError, *, required: bool, listens: Sequence[str] = ()) -> Failure:
        return cls(
            plugin=error.plugin,
            phase=error.phase,
            what=error.what,
            where=error.where,
            cure=error.cure,
            required=required,
            listens=tuple(listens),
        )

    @property
    def error(self) -> StartError:
        return StartError(self.what, plugin=self.plugin, phase=self.phase, where=self.where, cure=self.cure)


def with_failures(plugins: Iterable[Plugin], failures: Iterable[Failure]) -> list[Plugin]:
    """The plugins in order, with a fault for each failure and for each plugin that needs one that failed."""
    by_name = {one.plugin: one for one in failures}
    return with_broken_needs(with_failure(one, by_name.get(one.name)) for one in plugins)


def with_failure(plugin: Plugin, failure: Failure | None) -> Plugin:
    if failure is None or plugin.fault:
        return plugin
    required = plugin.required or failure.required
    return replace(plugin, fault=failure.error, required=required, listens=tuple(failure.listens))
