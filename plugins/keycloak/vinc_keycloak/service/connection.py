"""The admin's line to Keycloak: one sign-in, made when it is first needed, and a bound on each call."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from ..settings import KeycloakSettings

if TYPE_CHECKING:
    from keycloak import KeycloakAdmin

T = TypeVar("T")


class Admin:
    """What may be asked of Keycloak, in the name of whoever looks after it."""

    def __init__(self, settings: KeycloakSettings) -> None:
        self.settings = settings
        self.opened: KeycloakAdmin | None = None

    async def ask(self, what: str, call: "Callable[[KeycloakAdmin], Awaitable[T]]") -> T:
        """Make a call, within `timeout` seconds; raises ProviderUnavailable: "Keycloak refuses to `what`"."""
        from . import failures, line  # see there

        if self.opened is None:
            self.opened = line.opened(self.settings)
        try:
            # python-keycloak's own time limit starts anew with each byte that comes.
            async with asyncio.timeout(self.settings.timeout):
                return await call(self.opened)
        except failures.KNOWN as error:
            # What python-keycloak raises tells bodies of answers; nobody is to print them with a traceback.
            raise failures.told(error, self.settings, what) from None

    def forget_token(self) -> None:
        """Sign in anew before the next call: the rights that a new realm brings are not in the old token."""
        if self.opened is not None:
            self.opened.connection.token = None

    async def close(self) -> None:
        """Close it; the next call would open another."""
        from . import line

        if self.opened is not None:
            opened, self.opened = self.opened, None
            await line.close(opened)


@asynccontextmanager
async def admin(settings: KeycloakSettings) -> AsyncGenerator[Admin]:
    """An admin's line, closed at the end."""
    made = Admin(settings)
    try:
        yield made
    finally:
        if made.opened is not None:
            await made.close()
