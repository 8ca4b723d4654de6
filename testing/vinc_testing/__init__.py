"""A pytest plugin: the application with every enabled plugin, on real servers that nobody has to start.

`vinc_app`, `client` and `client_as` are what most tests need; `vinc_database`, `vinc_environment` and `vinc_servers`
stand behind them. The servers start once a run, whatever the number of pytest-xdist's workers, and end with it;
VINC_TEST_DATABASE_URL (a superuser's) and VINC_TEST_REDIS_URL name servers to use instead; the tests make databases
of their own on the one, and empty the other.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .clock import Clock
from .databases import Database
from .servers import Servers
from .settings import plugin_settings
from .waiting import eventually

if TYPE_CHECKING:
    from .clients import Client, ClientAs
    from .tokens import MakeToken
    from .vinc_app import VincApp
    from .walk import TwoTenants

__all__ = [
    "Client",
    "ClientAs",
    "Clock",
    "Database",
    "MakeToken",
    "Servers",
    "TwoTenants",
    "VincApp",
    "eventually",
    "plugin_settings",
]
LATE = {
    "Client": ".clients",
    "ClientAs": ".clients",
    "MakeToken": ".tokens",
    "TwoTenants": ".walk",
    "VincApp": ".vinc_app",
}


def __getattr__(name: str) -> type:
    """Import the application when it is asked for: pytest loads this module for every project, and it takes 0.5 s."""
    if name not in LATE:
        raise AttributeError(name)
    found: type = getattr(import_module(LATE[name], __name__), name)
    return found


def pytest_report_header() -> str:
    """Say which plugins the tests run with: another directory may have no plugins.toml, or another one."""
    path = Path(os.environ.get("VINC_PLUGINS_FILE") or "plugins.toml").absolute()
    if path.exists():
        return f"vinc: the plugins of {path}"
    return f"vinc: there is no {path}, so every installed plugin runs; name the file with VINC_PLUGINS_FILE"


def pytest_configure(config: pytest.Config) -> None:
    """Offer the fixtures."""
    from . import fixtures  # not before: pytest must be able to rewrite the assertions of a plugin's own modules

    config.pluginmanager.register(fixtures, "vinc-fixtures")
