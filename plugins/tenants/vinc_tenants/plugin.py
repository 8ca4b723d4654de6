"""Tenants: the companies that own data. This plugin is the kernel's directory of them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from vinc_kernel import App, Contribution, TenantDirectory, hooks


@hooks.contribute
def contribute() -> Contribution:
    from .models import Tenant  # commands that need no routes don't pay for them
    from .router import router
    from .service import demo

    return Contribution(routers=[router], models=[Tenant], provides=[TenantDirectory], commands=[demo])


@hooks.lifespan
@asynccontextmanager
async def directory(app: App) -> AsyncGenerator[None]:
    from .service import StoredTenants

    app.provide(StoredTenants(app), TenantDirectory)
    yield
