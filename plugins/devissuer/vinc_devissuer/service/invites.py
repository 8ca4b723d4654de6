"""Links by which a person chooses a password: one for each person, for a day, and good for one use."""

from __future__ import annotations

from uuid import UUID

from .. import repository
from ..schemas import Invited
from .issuer import DevIssuer
from .passwords import digest, random_secret


async def link(issuer: DevIssuer, user_id: UUID) -> str:
    """A new link; the one before is no good any more."""
    token = random_secret()
    async with issuer.app.session() as db:
        await repository.invite(db, user_id, digest(token))
    return f"{issuer.url}/password?token={token}"


async def invited(issuer: DevIssuer, token: str) -> Invited | None:
    """Whose link this token is from; None when it was used, is too old, or never was."""
    async with issuer.app.session() as db:
        return await repository.invited(db, digest(token))


async def choose(issuer: DevIssuer, token: str, password: str) -> bool:
    """Set the password, and use up the link; False when it is no good."""
    found = await invited(issuer, token)
    if found is None:  # before the work of a hash, which strangers may not order
        return False
    hashed = await issuer.passwords.hash(password)
    async with issuer.app.session() as db:
        if not await repository.use_invite(db, digest(token)):
            return False
        await repository.set_password(db, found.user_id, hashed, temporary=False)
    return True
