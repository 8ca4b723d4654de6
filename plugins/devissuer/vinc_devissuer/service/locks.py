"""What is locked by too many wrong passwords: list it, and unlock it before its time."""

from __future__ import annotations

from .. import repository
from ..schemas import Account, Lock, Tried
from .grants import normalised
from .issuer import DevIssuer
from .proof import ADDRESS, MOST_OF_ACCOUNT, MOST_OF_ADDRESS, key_of_account, key_of_address


async def locked(issuer: DevIssuer) -> list[Lock]:
    """The accounts and addresses that are locked now, the earliest first; names that no account has are left out."""
    async with issuer.app.session() as db:
        tried = await repository.tried_often(db, min(MOST_OF_ACCOUNT, MOST_OF_ADDRESS))
        names = {key_of(one): one.email or one.client_id or "" for one in await repository.every(db)}
    found = [(one, names.get(one.key) or address_of(one)) for one in tried]
    return [Lock(name=name, since=one.since, until=one.since + repository.LOCKED) for one, name in found if name]


async def unlock(issuer: DevIssuer, name: str) -> bool:
    """Forget the tries for an account, by its e-mail address or client id, or from an IP address; False for none."""
    # The address first, as where tries are counted: neither waits for the other in a circle.
    keys = [key_of_address(name), key_of_account("email", normalised(name)), key_of_account("client_id", name)]
    async with issuer.app.session() as db:
        return await repository.forget(db, keys) > 0


def key_of(account: Account) -> str:
    if account.email is not None:
        return key_of_account("email", account.email)
    return key_of_account("client_id", account.client_id or "")


def address_of(tried: Tried) -> str:
    """The address that is locked; empty for one that is not yet, and for an account."""
    is_locked = tried.key.startswith(ADDRESS) and tried.count >= MOST_OF_ADDRESS
    return tried.key.removeprefix(ADDRESS) if is_locked else ""
