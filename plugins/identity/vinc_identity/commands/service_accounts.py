"""`vinc identity service-account ...`: create, list and disable service accounts."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from annotated_doc import Doc

from vinc_kernel import App, CommandGroup, print_table

from .. import repository
from ..contracts import ServiceCredentials
from ..service import changes, deletion, service_accounts
from ..service.presentation import get_tenant_slugs
from ..service.validation import check_account_name, check_expiry
from .printing import format_last_seen, format_state, print_change

ONCE = "this secret cannot be shown again"
Account = Annotated[str, Doc("its id or name")]


async def create(
    app: App,
    *,
    name: Annotated[str, Doc("its name, like billing-export")],
    tenant: Annotated[str, Doc("the id or slug of its tenant")],
    role: Annotated[str, Doc("its role there, like viewer")],
    expires: Annotated[date, Doc("the day in UTC on which it expires, like 2031-12-31")],
) -> None:
    """Create a service account with a role in one tenant that expires as a day begins in UTC; print its secret once."""
    account = service_accounts.NewServiceAccount(
        name=check_account_name(name), tenant=tenant, role=role, expires_at=check_expiry(expires, app.now())
    )
    print_credentials(await service_accounts.create(app, account))
    print(f"it expires at {account.expires_at:%Y-%m-%d %H:%M} UTC; {ONCE}")


async def list(app: App) -> None:  # noqa: A001  `vinc identity service-account list`
    """List the service accounts: name, id, tenant, role, state, when it expires, when last seen."""
    async with app.session() as db:
        accounts = await repository.list_services(db)
    slugs = await get_tenant_slugs(app, accounts)
    rows = [
        (
            *(one.name, str(one.id), slugs[one.tenant], one.role or "", format_state(app, one)),
            *(f"{one.expires_at:%Y-%m-%d}" if one.expires_at else "never", format_last_seen(one)),
        )
        for one in accounts
    ]
    print_table([("service account", "id", "tenant", "role", "state", "expires", "last seen"), *rows])


async def disable(app: App, account: Account) -> None:
    """Disable a service account."""
    principal = await service_accounts.get_account(app, account)
    print_change(app, await changes.disable(app, principal.id), changes.DISABLED)


async def enable(app: App, account: Account) -> None:
    """Enable a service account."""
    principal = await service_accounts.get_account(app, account)
    print_change(app, await changes.enable(app, principal.id), changes.ENABLED)


async def end(app: App, account: Account) -> None:
    """Make all existing tokens of a service account invalid; it gets new ones with its secret."""
    principal = await service_accounts.get_account(app, account)
    print_change(app, await changes.end_sessions(app, principal.id), changes.SIGNED_OUT)


async def new_secret(app: App, account: Account) -> None:
    """Replace the secret of a service account and print it once; the old secret and its tokens end."""
    principal = await service_accounts.get_account(app, account)
    print_credentials(await service_accounts.new_secret(app, principal))
    print(ONCE)
    print_change(app, await changes.end_sessions(app, principal.id), changes.SIGNED_OUT)


async def delete(app: App, account: Account) -> None:
    """Delete a service account, here and at the identity provider; its tokens are refused at once.

    It can be repeated when it fails half-way. By name it also deletes one that is not registered here.
    """
    principal = await service_accounts.find_account(app, account)
    if principal is None:
        await deletion.delete_unregistered(app, account)
        print(f"{account} was not registered here, and is deleted at the identity provider")
        return
    is_deleted_there = await deletion.delete(app, principal)
    print(f"{principal.name} {principal.id} is deleted")
    if not is_deleted_there:
        print(f"{principal.issuer}, which created it, is not managed from here, and may still have it")


def print_credentials(credentials: ServiceCredentials) -> None:
    print(f"client id: {credentials.client_id}")
    print(f"secret: {credentials.secret}")


SERVICE_ACCOUNTS = CommandGroup("service-account", (create, list, disable, enable, end, new_secret, delete))
