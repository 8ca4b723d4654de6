"""The kernel's directory of tenants, from this plugin's table, cached until they change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self
from uuid import UUID

from vinc_kernel import App, Cache, Session, Tenant

from . import repository


class TenantKeys(Protocol):
    """A tenant's two cache keys."""

    @property
    def id(self) -> UUID: ...
    @property
    def slug(self) -> str: ...


@dataclass(frozen=True, slots=True)
class StoredTenants:
    """Tenants by id and by slug, without the purged ones."""

    cache: Cache[UUID | str, Tenant]

    @classmethod
    def of(cls, app: App) -> Self:
        async def load(key: UUID | str) -> Tenant | None:
            async with app.session() as db:
                return await repository.find(db, key)

        return cls(app.cache("tenant", load))

    async def find(self, key: UUID | str) -> Tenant | None:
        return await self.cache.get(key)

    def invalidate(self, db: Session, tenant: TenantKeys) -> None:
        """Clear the tenant from the caches of all workers when the session's transaction commits."""
        self.cache.invalidate(db, tenant.id, tenant.slug)
