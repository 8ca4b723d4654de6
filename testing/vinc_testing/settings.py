"""A plugin's settings, as the kernel reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from vinc_kernel.settings import Settings, Sources, plugin_prefix, read_one

S = TypeVar("S", bound=Settings)


def plugin_settings(plugin: str, kind: type[S], environ: Mapping[str, str]) -> S:
    """The settings of this plugin from these variables; raises SettingsError with a line for each problem."""
    made, _ = read_one(kind, Sources(environ), prefix=plugin_prefix(plugin))
    return made
