"""Authenticate by a password, with limits against guessing (threat T17)."""

from __future__ import annotations

import re
from typing import Literal

from vinc_kernel import logger

from .. import repository
from ..schemas import Account
from .issuer import DevIssuer
from .passwords import digest

# Attempts within 15 minutes; then the account, or the address, is locked for as long.
ACCOUNT_LIMIT, ADDRESS_LIMIT = 10, 50
ADDRESS = "address "  # the prefix of addresses' keys, which no hash has
Kind = Literal["email", "client_id"]
is_ip_address = re.compile(r"[0-9A-Fa-f.:]{2,45}").fullmatch


async def authenticate(issuer: DevIssuer, kind: Kind, name: str, password: str, *, host: str) -> Account | None:
    """Return the account with this password; None where it is wrong, unknown, disabled or locked.

    All of these cost the same: one database call, which counts the attempt, and one verification.
    """
    address, account_key = key_of_address(host), key_of_account(kind, name)
    limits = {address: ADDRESS_LIMIT, account_key: ACCOUNT_LIMIT}
    now = issuer.app.now()
    async with issuer.passwords.turn:
        async with issuer.app.session() as db:
            (of_address, of_account), account = await repository.count_and_find(db, limits, kind, name, now)
        is_right = await issuer.passwords.matches(account.password_hash if account else None, password)
        is_locked = of_address > ADDRESS_LIMIT or of_account > ACCOUNT_LIMIT
        if not is_right or is_locked or account is None or not account.enabled:
            if of_address == ADDRESS_LIMIT:
                log_lock("address", address.removeprefix(ADDRESS), of_address)
            if of_account == ACCOUNT_LIMIT and account is not None:
                log_lock("account", str(account.id), of_account)
            return None
        async with issuer.app.session() as db:
            await repository.forgive(db, address, account_key, now)
    return account


def key_of_account(kind: Kind, name: str) -> str:
    """Return the key of an account: a hash, as users sometimes type a password in place of a name."""
    return digest(f"{kind} {name}")


def key_of_address(host: str) -> str:
    """Return the key of a caller's address: an IP address is readable, for the operator.

    Any other name that a proxy gives a caller may be long, and is hashed.
    """
    return f"{ADDRESS}{host if is_ip_address(host) else digest(host)}"


def log_lock(what: str, which: str, attempts: int) -> None:
    """Log that something is locked from now on.

    Only the attempt that locks is logged, and no unknown account: guessing must not fill the log.
    """
    minutes = repository.LOCK_TIME.total_seconds() / 60
    logger.warning("the %s %s is locked for %d minutes: %d sign-ins were refused", what, which, minutes, attempts)
