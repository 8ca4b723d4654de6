"""An application that trusts one issuer, with and without an address."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from vinc_kernel import Contribution, Role
from vinc_kernel.app import Application

from ..conftest import AppOf
from .issuing import Caller, CallerOf, Sso, routes

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
async def caller_of(app_of: AppOf) -> AsyncGenerator[CallerOf]:
    """Make an application that trusts these issuers."""
    apps: list[Application] = []

    def make(*issuers: Any, **environ: str) -> Caller:
        things = Contribution(routers=[routes()], roles=ROLES)
        made = app_of({"VINC_JWT_TEST_SECRET": "", **environ}, things=things)
        for issuer in issuers:
            made.runtime.trusted.add(issuer, "things")
        apps.append(made)
        return Caller(made)

    yield make
    for app in apps:
        await app.runtime.trusted.fetcher.close()


@pytest.fixture
def caller(caller_of: CallerOf, sso: Sso) -> Caller:
    return caller_of(sso.issuer())
