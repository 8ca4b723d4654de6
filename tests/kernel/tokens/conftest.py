"""An application that trusts one issuer, with and without an address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from vinc_kernel import Contribution, Role
from vinc_kernel.app import create_app
from vinc_kernel.plugins.arrange import Plugin
from vinc_kernel.settings import Sources, read_settings

from .issuing import Caller, Sso, routes

PluginOf = Callable[[str, Contribution], Plugin]
ROLES = [
    Role(name="root", title="Root", rank=9, platform=True),
    Role(name="manager", title="Manager", rank=5, aliases=["boss"]),
    Role(name="clerk", title="Clerk", rank=3),
    Role(name="viewer", title="Viewer", rank=1),
]


@pytest.fixture
def sso() -> Sso:
    return Sso()


@pytest.fixture
def caller_of(plugin_of: PluginOf) -> Callable[..., Caller]:
    """Make an application that trusts these issuers."""

    def make(*issuers: Any, **environ: str) -> Caller:
        settings, _ = read_settings(Sources({"VINC_ENV": "test", "VINC_LOG_LEVEL": "error", **environ}))
        made = create_app(settings, plugins=[plugin_of("things", Contribution(routers=[routes()], roles=ROLES))])
        for issuer in issuers:
            made.runtime.trusted.add(issuer, "things")
        return Caller(made)

    return make


@pytest.fixture
def caller(caller_of: Callable[..., Caller], sso: Sso) -> Caller:
    return caller_of(sso.issuer())
