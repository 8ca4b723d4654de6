"""`vinc devissuer ...`: what developers do with the development issuer; none of it in production."""

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
from .service.provider import checked
from .service.tokens import SCOPES, Granted, access_token


def running(app: App) -> DevIssuer:
    """The issuer of this application."""
    return app.get(DevIssuer)


async def token(app: App, *, email: Annotated[str, Doc("whose token; no service account's")]) -> None:
    """Print an access token of an account: curl -H "Authorization: Bearer $(vinc devissuer token --email ...)".

    It needs no password, as whoever may call this has the database.
    """
    issuer = running(app)
    async with app.session() as db:
        found = await repository.named(db, "email", checked(email))
    if found is None:
        raise Refused("there is no account with this address: vinc devissuer users shows them")
    if not found.enabled:
        raise Refused("this account is disabled, and gets no tokens")
    print(await access_token(issuer, Granted(account=found, scope=" ".join(SCOPES))))


async def rotate_keys(
    app: App, *, now: Annotated[bool, Doc("drop all others at once, with all that they signed")] = False
) -> None:
    """Add a key, which signs in a minute, and drop those whose tokens have expired; with --now all others at once."""
    kid, dropped = await running(app).keys.rotate(now=now)
    print(f"added the key {kid}, dropped {dropped}")


async def demo(app: App) -> None:
    """Add the demo accounts that are not there, all with the same password, which it prints."""
    added = await demonstration.add(running(app))
    for email in added:
        print(f"added {email}")
    print(f"{len(added)} accounts added; the password of all demo accounts is {demonstration.PASSWORD}")


async def users(app: App) -> None:
    """List the accounts: address or client id, id, role, tenants, and whether it gets tokens."""
    running(app)
    async with app.session() as db:
        found = await repository.every(db)
    rows = [("account", "id", "role", "tenants", "state")]
    for one in found:
        state = "enabled" if one.enabled else "disabled"
        rows.append((one.email or one.client_id or "", str(one.id), one.role, ",".join(one.tenants), state))
    print_table(rows)


async def locked(app: App) -> None:
    """List what too many wrong passwords have locked: accounts and addresses, since when and until when, in UTC."""
    found = await locks.locked(running(app))
    print_table([("locked", "since", "until"), *((one.name, moment(one.since), moment(one.until)) for one in found)])


async def unlock(
    app: App, name: Annotated[str, Doc("an account's e-mail address or client id, or an IP address")]
) -> None:
    """Unlock an account or an address before its time is over; tries are counted anew."""
    issuer = running(app)
    if not name.isprintable() or not await locks.unlock(issuer, name):
        raise Refused("no wrong passwords are counted for this name: vinc devissuer locked lists what is locked")
    print("unlocked")


def moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


COMMANDS: Sequence[Callable[..., Any]] = [token, rotate_keys, demo, users, locked, unlock]
