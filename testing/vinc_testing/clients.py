"""Clients that call an application in the same process, as somebody in some tenant."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from httpx import URL, ASGITransport, AsyncClient, Response

if TYPE_CHECKING:
    from httpx import Auth
    from starlette.types import ASGIApp

ORIGIN = "http://test"
TenantSettingsByPlugin = Mapping[str, Mapping[str, Any]]


class Client(AsyncClient):
    """An HTTPX client whose paths begin below the API's prefix: `await client.get("/tenants/me")`."""

    async def follow(self, response: Response) -> Response:
        """Get what the `Location` of a response names; raises LookupError without one."""
        location = response.headers.get("location")
        if location is None:
            message = f"the response with status {response.status_code} has no Location"
            raise LookupError(message)
        return await self.get(URL(ORIGIN).join(location))

    async def items(self, path: str, **query: Any) -> list[Any]:
        """Return the items of all pages of a list, each reached by `next` of the one before."""
        page = (await self.get(path, params=query)).raise_for_status().json()
        found = list(page["items"])
        while page["next"] is not None:
            page = (await self.get(URL(ORIGIN).join(page["next"]))).raise_for_status().json()
            found += page["items"]
        return found


class ClientAs(Protocol):
    """`client_as("wholesale_admin", "acme")`: a client with this role in this tenant, which is made if missing.

    `client_as("super_admin", "")` has no tenant and sends no tenant header.
    """

    def __call__(
        self, role: str, tenant: str, *, subject: str = "tester", settings: TenantSettingsByPlugin | None = None
    ) -> Client:
        """Return the client; `settings` become the tenant's, by plugin: `{"invoices": {"days": 3}}`."""


def client_of(
    app: ASGIApp, prefix: str, headers: Mapping[str, str], auth: Auth | None = None, host: str = "127.0.0.1"
) -> Client:
    transport = ASGITransport(app, client=(host, 123))
    return Client(transport=transport, base_url=f"{ORIGIN}{prefix}", headers=headers, auth=auth)


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
