"""`vinc identity service-account ...`: machines, and which of them may come in."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from annotated_doc import Doc

from vinc_kernel import App, CommandGroup, print_table

from .. import repository
from ..contracts import ServiceCredentials
from ..service import deletion, machines
from ..service.checked import account_name_of, end_of
from ..service.shown import slugs_of
from .changing import disable_found, enable_found, end_sessions_of
from .printing import day_of, say, state_of

ONCE = "nobody can show this secret again"
Account = Annotated[str, Doc("its id or name")]


async def create(
    app: App,
    *,
    name: Annotated[str, Doc("what it is called, like billing-export")],
    tenant: Annotated[str, Doc("the id or slug of the one that it works in")],
    role: Annotated[str, Doc("what it may there, like viewer")],
    expires: Annotated[date, Doc("until this day begins in UTC, like 2031-12-31")],
) -> None:
    """Make a service account with a role in one tenant, until a day begins in UTC; its secret is printed once."""
    wanted = machines.WantedAccount(name=account_name_of(name), tenant=tenant, role=role, expires_at=end_of(expires))
    made = await machines.create(app, wanted)
    say_made(made)
    say(f"it expires at {wanted.expires_at:%Y-%m-%d %H:%M} UTC; {ONCE}")


async def list(app: App) -> None:  # noqa: A001  `vinc identity service-account list`
    """List the service accounts: name, id, tenant, role, state, when it expires, when last seen."""
    async with app.session() as db:
        found = await repository.services(db)
    slugs = await slugs_of(app, found)
    rows = [
        (
            *(one.name, str(one.id), slugs[one.tenant], one.role or "", state_of(app, one)),
            *(f"{one.expires_at:%Y-%m-%d}" if one.expires_at else "never", day_of(one)),
        )
        for one in found
    ]
    print_table([("service account", "id", "tenant", "role", "state", "expires", "last seen"), *rows])


async def disable(app: App, account: Account) -> None:
    """Let a service account in no more."""
    await disable_found(app, await machines.named(app, account))


async def enable(app: App, account: Account) -> None:
    """Let a service account in again."""
    await enable_found(app, await machines.named(app, account))


async def end(app: App, account: Account) -> None:
    """Believe none of a service account's tokens that there are; it gets new ones with its secret."""
    await end_sessions_of(app, await machines.named(app, account))


async def new_secret(app: App, account: Account) -> None:
    """Give a service account another secret, which is printed once; the old one and its tokens end."""
    found = await machines.named(app, account)
    say_made(await machines.new_secret(app, found))
    say(ONCE)
    await end_sessions_of(app, found)


async def delete(app: App, account: Account) -> None:
    """Delete a service account, here and at the identity provider; its tokens are refused at once.

    It can be repeated when it fails half-way. By name it also deletes one that the provider has and nobody registered.
    """
    found = await machines.known(app, account)
    if found is None:
        await deletion.delete_left_over(app, account)
        say(f"{account} was not registered here, and is deleted at the identity provider")
        return
    is_gone = await deletion.delete(app, found)
    say(f"{found.name} {found.id} is deleted")
    if not is_gone:
        say(f"{found.issuer}, which made it, is not looked after from here, and may have it still")


def say_made(made: ServiceCredentials) -> None:
    say(f"client id: {made.client_id}")
    say(f"secret: {made.secret}")


SERVICE_ACCOUNTS = CommandGroup("service-account", (create, list, disable, enable, end, new_secret, delete))
