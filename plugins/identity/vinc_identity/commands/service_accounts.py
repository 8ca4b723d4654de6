"""`vinc identity service-account ...`: machines, and which of them may come in."""

from __future__ import annotations

from datetime import date

from vinc_kernel import App, CommandGroup

from .. import repository
from ..models import SERVICE
from ..service import machines
from ..service.checked import account_name_of, end_of
from .changing import disable_found, enable_found, end_sessions_of
from .printing import day_of, say, say_columns, state_of


async def create(app: App, *, name: str, tenant: str, role: str, expires: date) -> None:
    """Make a service account with a role in one tenant, until a day begins in UTC; its secret is printed once."""
    wanted = machines.WantedAccount(name=account_name_of(name), tenant=tenant, role=role, expires_at=end_of(expires))
    made = await machines.create(app, wanted)
    say(f"client id: {made.client_id}")
    say(f"secret: {made.secret}")
    say(f"it expires at {wanted.expires_at:%Y-%m-%d %H:%M} UTC; nobody can show this secret again")


async def list(app: App) -> None:  # noqa: A001  `vinc identity service-account list`
    """List the service accounts: name, id, tenant, role, state, when it expires, when last seen."""
    async with app.session() as db:
        found = await repository.every(db, SERVICE)
    rows = [
        (
            *(one.name, str(one.id), str(one.tenant or ""), one.role or "", state_of(one)),
            *(f"{one.expires_at:%Y-%m-%d}" if one.expires_at else "never", day_of(one)),
        )
        for one in found
    ]
    say_columns([("service account", "id", "tenant", "role", "state", "expires", "last seen"), *rows])


async def disable(app: App, account: str) -> None:
    """Let a service account in no more, by id or name."""
    await disable_found(app, await machines.named(app, account))


async def enable(app: App, account: str) -> None:
    """Let a service account in again, by id or name."""
    await enable_found(app, await machines.named(app, account))


async def end(app: App, account: str) -> None:
    """Believe none of a service account's tokens that there are, by id or name; it gets new ones with its secret."""
    await end_sessions_of(app, await machines.named(app, account))


SERVICE_ACCOUNTS = CommandGroup("service-account", (create, list, disable, enable, end))
