"""The kernel's directory of tenants, from this plugin's table, and cached until they change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self
from uuid import UUID

from vinc_kernel import App, Cache, Session, Tenant

from . import repository


class Named(Protocol):
    """What a tenant is found by."""

    @property
    def id(self) -> UUID: ...
    @property
    def slug(self) -> str: ...


@dataclass(frozen=True, slots=True)
class StoredTenants:
    """Tenants by id and by slug; one that was purged is not there."""

    known: Cache[UUID | str, Tenant]

    @classmethod
    def of(cls, app: App) -> Self:
        """The directory of this application."""

        async def load(key: UUID | str) -> Tenant | None:
            async with app.session() as db:
                return await repository.find(db, key)

        return cls(app.cache("tenant", load))

    async def find(self, key: UUID | str) -> Tenant | None:
        """The tenant with this id or slug; None when there is none."""
        return await self.known.get(key)

    def invalidate(self, db: Session, tenant: Named) -> None:
        """Have every worker look again, once the session's transaction is committed."""
        self.known.invalidate(db, tenant.id, tenant.slug)
