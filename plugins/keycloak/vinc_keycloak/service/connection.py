"""The admin connection to Keycloak: it signs in with the first call, and each call has a timeout."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from ..settings import KeycloakSettings

if TYPE_CHECKING:
    from keycloak import KeycloakAdmin

T = TypeVar("T")


class Admin:
    """Calls Keycloak's admin API."""

    def __init__(self, settings: KeycloakSettings) -> None:
        self.settings = settings
        self.client: KeycloakAdmin | None = None

    async def ask(self, what: str, call: "Callable[[KeycloakAdmin], Awaitable[T]]") -> T:
        """Make a call within `timeout` seconds; raises ProviderUnavailable: "Keycloak refuses to `what`"."""
        from . import failures, python_keycloak  # slow to import

        if self.client is None:
            self.client = python_keycloak.make_client(self.settings)
        try:
            # python-keycloak's own timeout restarts with each byte that it receives.
            async with asyncio.timeout(self.settings.timeout):
                return await call(self.client)
        except failures.KNOWN as error:
            # python-keycloak's errors quote response bodies, which must not appear in a traceback.
            raise failures.to_provider_error(error, self.settings, what) from None

    def forget_token(self) -> None:
        """Sign in again before the next call: the old token has no rights in a new realm."""
        if self.client is not None:
            self.client.connection.token = None

    async def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self.client is not None:
            from . import python_keycloak

            client, self.client = self.client, None
            await python_keycloak.close(client)


@asynccontextmanager
async def admin(settings: KeycloakSettings) -> AsyncGenerator[Admin]:
    connection = Admin(settings)
    try:
        yield connection
    finally:
        await connection.close()
