"""`vinc devissuer ...`: commands for developers, never for production."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from annotated_doc import Doc

from vinc_kernel import App, print_table

from . import repository
from .errors import Refused
from .service import demo as demonstration
from .service import locks
from .service.issuer import DevIssuer
from .service.provider import check_email
from .service.tokens import SCOPES, Grant, access_token


async def token(app: App, *, email: Annotated[str, Doc("the address of a person")]) -> None:
    """Print an access token for an account: curl -H "Authorization: Bearer $(vinc devissuer token --email ...)".

    It needs no password: who can run this has access to the database.
    """
    issuer = app.get(DevIssuer)
    async with app.session() as db:
        account = await repository.find(db, "email", check_email(email))
    if account is None:
        raise Refused("there is no account with this address: vinc devissuer users shows them")
    if not account.enabled:
        raise Refused("this account is disabled, and gets no tokens")
    print(await access_token(issuer, Grant(account=account, scope=" ".join(SCOPES))))


async def rotate_keys(
    app: App, *, now: Annotated[bool, Doc("drop all other keys at once, which invalidates their tokens")] = False
) -> None:
    """Add a key, which signs after a minute, and drop those whose tokens have expired; with --now all others."""
    kid, dropped = await app.get(DevIssuer).keys.rotate(now=now)
    print(f"added the key {kid}, dropped {dropped}")


async def demo(app: App) -> None:
    """Add the demo accounts that do not exist, and print their common password."""
    added = await demonstration.add(app.get(DevIssuer))
    for email in added:
        print(f"added {email}")
    print(f"{len(added)} accounts added; the password of all demo accounts is {demonstration.PASSWORD}")


async def users(app: App) -> None:
    """List the accounts: address or client id, id, role, tenants, and whether it is enabled."""
    async with app.session() as db:
        accounts = await repository.list_all(db)
    rows = [("account", "id", "role", "tenants", "state")]
    for one in accounts:
        state = "enabled" if one.enabled else "disabled"
        rows.append((one.email or one.client_id or "", str(one.id), one.role, ",".join(one.tenants), state))
    print_table(rows)


async def locked(app: App) -> None:
    """List the accounts and addresses that too many wrong passwords have locked, since and until when, in UTC."""
    found = await locks.list_locks(app.get(DevIssuer))
    print_table(
        [("locked", "since", "until"), *((one.name, format_time(one.since), format_time(one.until)) for one in found)]
    )


async def unlock(
    app: App, name: Annotated[str, Doc("an account's e-mail address or client id, or an IP address")]
) -> None:
    """Unlock an account or an address; its attempts are counted from zero."""
    issuer = app.get(DevIssuer)
    if not name.isprintable() or not await locks.unlock(issuer, name):
        raise Refused("no wrong passwords are counted for this name: vinc devissuer locked lists what is locked")
    print("unlocked")


def format_time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


COMMANDS: Sequence[Callable[..., Any]] = [token, rotate_keys, demo, users, locked, unlock]
