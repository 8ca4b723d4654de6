"""What plugins offer while they run, by type, and how each of them stands in this worker."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from .background import Task, stop
from .errors import StartError
from .tokens.trusted import Trusted


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """Something that can be down: `ask` raises when it is. One that is not required leaves the service ready."""

    name: str
    required: bool
    ask: Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginState:
    """How a plugin stands in this worker: `ready` or `quarantined`, since which phase, and the whole reason.

    `listens` names the kinds of events that a quarantined plugin listens to, as far as that is known.
    """

    name: str
    version: str
    state: str = "ready"
    phase: str = ""
    why: str = ""
    listens: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        return self.state == "ready"


@dataclass(slots=True, eq=False)
class Registry:
    """The services that plugins provide, the health checks, the states of plugins and their background tasks."""

    trusted: Trusted
    states: dict[str, PluginState]
    checks: list[HealthCheck] = field(default_factory=list)
    services: dict[type, object] = field(default_factory=dict)
    providers: dict[type, str] = field(default_factory=dict)
    tasks: defaultdict[str, list[Task]] = field(default_factory=lambda: defaultdict(list))

    def find(self, kind: type) -> Any:
        """Return what is provided under a type; None when nobody provides it."""
        return self.services.get(kind)

    def is_ready(self, plugin: str) -> bool:
        state = self.states.get(plugin)
        return state is not None and state.is_ready

    def provide(self, thing: object, kind: type, plugin: str) -> None:
        """Offer a service under a type; raises StartError where another plugin provides it already."""
        provider = self.providers.get(kind)
        if provider not in (None, plugin):
            raise StartError(
                f"{kind.__name__} is already provided by {provider}, and one is enough",
                plugin=plugin,
                phase="lifespan",
                where=kind.__module__,
                cure=f"enable one of the two: vinc plugins disable {plugin}, or {provider}",
            )
        self.services[kind], self.providers[kind] = thing, plugin

    def withdraw(self, plugin: str) -> None:
        """Take back what a plugin provides, and whom it trusts."""
        for kind in [kind for kind, provider in self.providers.items() if provider == plugin]:
            del self.services[kind], self.providers[kind]
        self.trusted.forget(plugin)

    async def cancel_tasks(self, plugin: str) -> None:
        """Cancel the plugin's background tasks, and wait until they have ended."""
        for task in self.tasks.pop(plugin, []):
            await stop(task)

    def listening_in_quarantine(self, kinds: Iterable[type]) -> str | None:
        """Return a plugin that is quarantined and listens to one of these kinds of events; None when all are ready."""
        names = {f"{kind.__module__}.{kind.__qualname__}" for kind in kinds}
        return next((one.name for one in self.states.values() if names.intersection(one.listens)), None)
