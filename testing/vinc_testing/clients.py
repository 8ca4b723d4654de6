"""Clients that call an application in the same process, as somebody in some tenant."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from httpx import AsyncClient

    from vinc_kernel.app import Application


class ClientAs(Protocol):
    """`client_as("wholesale_admin", "acme")`: a client with this role in this tenant, which is made if missing."""

    def __call__(self, role: str, tenant: str, *, subject: str = "tester") -> AsyncClient:
        """A client whose addresses begin below the API's prefix: `await client.get("/tenants/me")`."""


def client_of(app: Application, headers: dict[str, str]) -> AsyncClient:
    from httpx import ASGITransport, AsyncClient

    prefix = app.services.settings.service.api_prefix
    return AsyncClient(transport=ASGITransport(app), base_url=f"http://test{prefix}", headers=headers)


@asynccontextmanager
async def in_one_task(manager: AbstractAsyncContextManager[Any]) -> AsyncGenerator[None]:
    """Enter and leave in the same task: a plugin's lifespan may hold a task group, and pytest changes tasks."""
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()

    async def live() -> None:
        async with manager:
            ready.set_result(None)
            await stop.wait()

    living = asyncio.create_task(live())
    await asyncio.wait([living, ready], return_when=asyncio.FIRST_COMPLETED)
    try:
        if ready.done():
            yield
    finally:
        stop.set()
        await living
