"""Prove who somebody is by a password, so that guessing gets nobody anywhere (threat T17)."""

from __future__ import annotations

import re
from typing import Literal

from vinc_kernel import logger

from .. import repository
from ..schemas import Account
from .issuer import DevIssuer
from .passwords import digest

# Within 15 minutes; then the account, or the address, is locked for as long.
MOST_OF_ACCOUNT, MOST_OF_ADDRESS = 10, 50
ADDRESS = "address "  # how the keys of addresses begin, and no hash does
Kind = Literal["email", "client_id"]
ip_address = re.compile(r"[0-9A-Fa-f.:]{2,45}").fullmatch


async def proved(issuer: DevIssuer, kind: Kind, name: str, password: str, *, host: str) -> Account | None:
    """The account whose password this is; None for a wrong one, nobody's, a disabled one's, and while it is locked.

    All of these cost the same: one look into the database, which counts the try, and one verification.
    """
    address, account = key_of_address(host), key_of_account(kind, name)
    async with issuer.passwords.turn:
        async with issuer.app.session() as db:
            tries = [(address, MOST_OF_ADDRESS), (account, MOST_OF_ACCOUNT)]
            (of_address, of_account), found = await repository.count_and_find(db, tries, kind, name)
        is_right = await issuer.passwords.matches(found.password_hash if found else None, password)
        is_locked = of_address > MOST_OF_ADDRESS or of_account > MOST_OF_ACCOUNT
        if not is_right or is_locked or found is None or not found.enabled:
            if of_address == MOST_OF_ADDRESS:
                log_lock("address", address.removeprefix(ADDRESS), of_address)
            if of_account == MOST_OF_ACCOUNT and found is not None:
                log_lock("account", str(found.id), of_account)
            return None
        async with issuer.app.session() as db:
            await repository.forgive(db, address, account)
    return found


def key_of_account(kind: Kind, name: str) -> str:
    """Under what tries for an account are counted: a hash, as people write passwords where names belong."""
    return digest(f"{kind} {name}")


def key_of_address(host: str) -> str:
    """Under what tries from an address are counted: an IP address is readable, to be told whoever looks after this.

    What else a proxy may call a caller is of any length, and hashed.
    """
    return f"{ADDRESS}{host if ip_address(host) else digest(host)}"


def log_lock(what: str, which: str, tries: int) -> None:
    """Log that something is locked from now on.

    Only the try that locks is told, and no name that nobody has: a guesser must not be able to fill the log.
    """
    minutes = repository.LOCKED.total_seconds() / 60
    logger.warning("the %s %s is locked for %d minutes: %d sign-ins were refused", what, which, minutes, tries)
