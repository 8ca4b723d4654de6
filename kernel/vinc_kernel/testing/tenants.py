"""A directory of tenants in memory, as a plugin: for testing where no plugin called `tenants` is installed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

from .. import hookspecs as hooks
from ..context import Tenant, TenantDirectory
from ..contracts import Contribution
from ..database.uuid7 import uuid7
from ..plugins.arrange import Plugin
from ..services import App

NAME = "tenants"


class RememberedTenants:
    """Tenants by id and by slug, for as long as the application runs."""

    def __init__(self) -> None:
        self.known: dict[UUID | str, Tenant] = {}

    async def find(self, key: UUID | str) -> Tenant | None:
        return self.known.get(key)

    def add(self, slug: str) -> None:
        """Add a tenant, unless it is there."""
        if slug not in self.known:
            made = Tenant(id=uuid7(), slug=slug, name=slug.replace("-", " ").title())
            self.known |= {made.id: made, made.slug: made}


@hooks.contribute
def contribute() -> Contribution:
    return Contribution(provides=[TenantDirectory])


@hooks.lifespan
@asynccontextmanager
async def remember(app: App) -> AsyncGenerator[None]:
    app.provide(RememberedTenants(), TenantDirectory)
    yield


def stand_in() -> Plugin:
    """A plugin `tenants` that is this module."""
    return Plugin(
        name=NAME,
        module=__name__,
        package=__name__,
        distribution="vinc-kernel",
        version="0",
        enabled=True,
        required=True,
        where="vinc_kernel.testing",
    )
