"""A directory of tenants in memory, as a plugin: for testing where no plugin called `tenants` is installed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

from vinc_kernel import hookspecs as hooks
from vinc_kernel.context import Tenant, TenantDirectory
from vinc_kernel.contracts import Contribution
from vinc_kernel.database.uuid7 import uuid7
from vinc_kernel.runtime import App


class RememberedTenants:
    """Tenants by id and by slug, for as long as the application runs."""

    def __init__(self) -> None:
        self.known: dict[UUID | str, Tenant] = {}

    async def find(self, key: UUID | str) -> Tenant | None:
        return self.known.get(key)

    def add(self, slug: str) -> Tenant:
        """The tenant with this slug, made if missing."""
        return self.known[slug] if slug in self.known else self.change(slug)

    def change(self, slug: str, **values: Any) -> Tenant:
        """Give a tenant another status, other settings, or other plugins to be without."""
        before = self.known.get(slug) or Tenant(id=uuid7(), slug=slug, name=slug.replace("-", " ").title())
        made = replace(before, **values)
        self.known |= {made.id: made, made.slug: made}
        return made


@hooks.contribute
def contribute() -> Contribution:
    return Contribution(provides=[TenantDirectory])


@hooks.lifespan
@asynccontextmanager
async def remember(app: App) -> AsyncGenerator[None]:
    app.provide(RememberedTenants(), TenantDirectory)
    yield
