"""Prove who somebody is by a password, so that guessing gets nobody anywhere (threat T17)."""

from __future__ import annotations

from typing import Literal

from .. import repository
from ..schemas import Account
from .issuer import DevIssuer
from .passwords import digest

# Within 15 minutes; then the account, or the address, is locked for as long.
MOST_OF_ACCOUNT, MOST_OF_ADDRESS = 10, 50


async def proved(
    issuer: DevIssuer, kind: Literal["email", "client_id"], name: str, password: str, *, host: str
) -> Account | None:
    """The account whose password this is; None for a wrong one, nobody's, a disabled one's, and while it is locked.

    All of these cost the same: one look into the database, which counts the try, and one verification.
    """
    address, account = digest(f"address {host}"), digest(f"{kind} {name}")
    async with issuer.passwords.turn:
        async with issuer.app.session() as db:
            tries = [(address, MOST_OF_ADDRESS), (account, MOST_OF_ACCOUNT)]
            (of_address, of_account), found = await repository.count_and_find(db, tries, kind, name)
        is_right = await issuer.passwords.matches(found.password_hash if found else None, password)
        is_locked = of_address > MOST_OF_ADDRESS or of_account > MOST_OF_ACCOUNT
        if not is_right or is_locked or found is None or not found.enabled:
            return None
        async with issuer.app.session() as db:
            await repository.forgive(db, address, account)
    return found
