"""Tenants: the companies that own data. This plugin provides the kernel's directory of them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from vinc_kernel import App, Contribution, TenantDirectory, hooks

from .permissions import MANAGE, SWITCH
from .settings import TenantsSettings


@hooks.contribute
def contribute() -> Contribution:
    from .commands import COMMANDS
    from .models import Receipt, Tenant  # commands that need no routes don't pay for them
    from .router import router

    return Contribution(
        routers=[router],
        models=[Tenant, Receipt],
        capabilities=[MANAGE, SWITCH],
        provides=[TenantDirectory],
        settings=TenantsSettings,
        commands=COMMANDS,
    )


@hooks.lifespan
@asynccontextmanager
async def provide_directory(app: App) -> AsyncGenerator[None]:
    from .directory import StoredTenants

    tenants = StoredTenants.of(app)
    app.provide(tenants)
    app.provide(tenants, TenantDirectory)
    yield
