"""Invoices: what a tenant bills its customers. Migrations are in the folder beside this file."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from vinc_kernel import App, Contribution, hooks

from .permissions import MANAGE
from .settings import InvoiceSettings, InvoiceTerms


@hooks.contribute
def contribute() -> Contribution:
    from .models import Invoice  # imported here, so that other commands start faster
    from .router import router
    from .service import remind

    return Contribution(
        routers=[router],
        models=[Invoice],
        capabilities=[MANAGE],
        settings=InvoiceSettings,
        tenant_settings=InvoiceTerms,
        commands=[remind],
        optional_for_tenants=True,
    )


@hooks.lifespan
@asynccontextmanager
async def printer(app: App) -> AsyncGenerator[None]:
    from httpx import AsyncClient

    from .printer import Printer

    async with AsyncClient(base_url=app.settings(InvoiceSettings).printer_url) as client:
        app.provide(Printer(client))
        yield
