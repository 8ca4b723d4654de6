"""The rules of tenants."""

from dataclasses import dataclass
from uuid import UUID

from vinc_kernel import App, Tenant

from . import repository

DEMO = {"acme": "Acme", "globex": "Globex"}


@dataclass(frozen=True, slots=True)
class StoredTenants:
    """The kernel's directory of tenants, from this plugin's table."""

    app: App

    async def find(self, key: UUID | str) -> Tenant | None:
        async with self.app.session() as db:
            return await repository.find(db, key)


async def demo(app: App) -> None:
    """Add the two demo tenants, acme and globex, unless they are there."""
    async with app.session() as db:
        for slug, name in DEMO.items():
            if await repository.add(db, slug, name):
                print(f"added the tenant {slug}")  # noqa: T201  it is a command
