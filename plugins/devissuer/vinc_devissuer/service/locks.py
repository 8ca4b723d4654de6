"""Accounts and addresses that are locked by too many wrong passwords: list and unlock them."""

from __future__ import annotations

from .. import repository
from ..schemas import Account, FailureRow, Lock
from .authentication import ACCOUNT_LIMIT, ADDRESS, ADDRESS_LIMIT, key_of_account, key_of_address
from .grants import normalise_email
from .issuer import DevIssuer


async def list_locks(issuer: DevIssuer) -> list[Lock]:
    """Return the accounts and addresses that are locked now, the earliest first; unknown accounts are left out."""
    async with issuer.app.session() as db:
        failures = await repository.list_failures(db, min(ACCOUNT_LIMIT, ADDRESS_LIMIT), issuer.app.now())
        names = {key_of(one): one.email or one.client_id or "" for one in await repository.list_all(db)}
    named = [(one, names.get(one.key) or locked_address(one)) for one in failures]
    return [Lock(name=name, since=one.since, until=one.since + repository.LOCK_TIME) for one, name in named if name]


async def unlock(issuer: DevIssuer, name: str) -> bool:
    """Unlock an account, by its e-mail address or client id, or an IP address; False where nothing was counted."""
    # The address first, in the order in which attempts are counted, so that the two never deadlock.
    keys = [key_of_address(name), key_of_account("email", normalise_email(name)), key_of_account("client_id", name)]
    async with issuer.app.session() as db:
        return await repository.forget(db, keys) > 0


def key_of(account: Account) -> str:
    if account.email is not None:
        return key_of_account("email", account.email)
    return key_of_account("client_id", account.client_id or "")


def locked_address(failure: FailureRow) -> str:
    """Return the address that is locked; empty for an account, and for an address below its limit."""
    is_locked = failure.key.startswith(ADDRESS) and failure.count >= ADDRESS_LIMIT
    return failure.key.removeprefix(ADDRESS) if is_locked else ""
