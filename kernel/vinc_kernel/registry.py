"""The services of plugins by type, and the state of each plugin in this worker."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from .background import Task, stop
from .errors import StartError
from .tokens.trusted import Trusted


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """A check: `ask` raises when something is down. A check that is not required leaves the service ready."""

    name: str
    required: bool
    ask: Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginState:
    """A plugin in this worker: `ready`, or `quarantined` with phase and reason.

    Of a plugin that was never loaded: `listens` names the kinds of events that it listens to, where they are known,
    and `hooks` its hooks; None: not known.
    """

    name: str
    version: str
    state: str = "ready"
    phase: str = ""
    why: str = ""
    listens: tuple[str, ...] = ()
    hooks: tuple[str, ...] | None = None

    @property
    def is_ready(self) -> bool:
        return self.state == "ready"

    def quarantined(self, error: StartError) -> PluginState:
        return replace(self, state="quarantined", phase=error.phase, why=str(error))


@dataclass(slots=True, eq=False)
class Registry:
    """The services that plugins provide, the health checks, the states of plugins and their background tasks."""

    trusted: Trusted
    states: dict[str, PluginState]
    checks: list[HealthCheck] = field(default_factory=list)
    services: dict[type, object] = field(default_factory=dict)
    providers: dict[type, str] = field(default_factory=dict)
    tasks: defaultdict[str, list[Task]] = field(default_factory=lambda: defaultdict(list))
    runs_background: bool = True
    """False for a command: background work is for what serves."""

    def find(self, kind: type) -> Any:
        return self.services.get(kind)

    def is_ready(self, plugin: str) -> bool:
        state = self.states.get(plugin)
        return state is not None and state.is_ready

    def provide(self, thing: object, kind: type, plugin: str) -> None:
        """Offer a service under a type; raises StartError where another plugin provides it already."""
        provider = self.providers.get(kind)
        if provider not in (None, plugin):
            what = f"{kind.__name__} is already provided by {provider}, and one is enough"
            cure = f"enable one of the two: vinc plugins disable {plugin}, or {provider}"
            raise StartError(what, plugin=plugin, phase="lifespan", where=kind.__module__, cure=cure)
        self.services[kind], self.providers[kind] = thing, plugin

    def withdraw(self, plugin: str) -> None:
        """Remove the services and the issuers of a plugin."""
        for kind in [kind for kind, provider in self.providers.items() if provider == plugin]:
            del self.services[kind], self.providers[kind]
        self.trusted.forget(plugin)

    async def cancel_tasks(self, plugin: str) -> None:
        for task in self.tasks.pop(plugin, []):
            await stop(task)

    def listening_in_quarantine(self, kinds: Iterable[type]) -> str | None:
        """Return a quarantined plugin that listens to one of these kinds of events, or None."""
        names = {f"{kind.__module__}.{kind.__qualname__}" for kind in kinds}
        return next((one.name for one in self.states.values() if names.intersection(one.listens)), None)
