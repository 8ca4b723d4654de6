"""Plugins as they are loaded, one by one and all together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pluggy

from ..contracts import Contribution
from ..endpoints import Endpoint
from ..errors import StartError
from ..services import PluginState
from ..settings import KernelSettings, Origin, Settings, Sources, unknown_names
from .arrange import Plugin, idle
from .check import Claim
from .collect import implementations


@dataclass(slots=True, eq=False)
class LoadedPlugin:
    """One plugin on its way from metadata to ready; `error` is why it does not run, `tables` what came with it."""

    plugin: Plugin
    contribution: Contribution = field(default_factory=Contribution)
    endpoints: list[Endpoint] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    settings: Settings | None = None
    origins: list[Origin] = field(default_factory=list)
    tables: set[str] = field(default_factory=set)
    error: StartError | None = None

    @property
    def state(self) -> PluginState:
        name, version, error = self.plugin.name, self.plugin.version, self.error
        if error is None:
            return PluginState(name=name, version=version)
        return PluginState(name=name, version=version, state="quarantined", phase=error.phase, why=str(error))


@dataclass(slots=True, eq=False)
class Assembly:
    """All plugins of one application, loaded and checked, and nothing running yet."""

    members: list[LoadedPlugin]
    manager: pluggy.PluginManager

    @property
    def ready(self) -> list[LoadedPlugin]:
        return [one for one in self.members if one.error is None]

    @property
    def failed(self) -> list[LoadedPlugin]:
        """Those that this process could not load."""
        return [one for one in self.members if one.error and one.error is not one.plugin.fault]

    def owner_of(self, module: str) -> LoadedPlugin | None:
        """The plugin in whose package a module is; of two nested packages the inner one."""
        owners = (one for one in self.members if one.plugin.owns(module))
        return max(owners, key=lambda one: len(one.plugin.package), default=None)

    def unread(self, sources: Sources, settings: KernelSettings) -> list[str]:
        """One line for each `VINC_` name that neither the kernel nor a plugin reads."""
        declared = {one.plugin.name: one.contribution.settings for one in self.members}
        return unknown_names(sources, declared, partial(idle, settings))

    def hooks(self, name: str, plugin: str) -> list[Callable[..., Any]]:
        return implementations(self.manager, name, plugin)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """What loading needs; `overrides` is what FastAPI asks for `dependency_overrides`.

    `report` hears plugin and phase before each step, for whoever watches over a process that a plugin may end. A trial
    ends with the first optional plugin that fails: what it left behind could make later ones fail.
    """

    settings: KernelSettings
    sources: Sources
    overrides: Any = None
    is_trial: bool = False
    report: Callable[[str, str], None] = lambda _plugin, _phase: None

    @property
    def seconds(self) -> float:
        return self.settings.plugins.load_timeout
