"""Links to choose a password: one for each person, valid for a day and for one use."""

from __future__ import annotations

from uuid import UUID

from .. import repository
from ..schemas import InvitedUser
from .issuer import DevIssuer
from .passwords import digest, random_secret


async def create_link(issuer: DevIssuer, user_id: UUID) -> str:
    """Return a new link; the last one is not valid any more."""
    token = random_secret()
    async with issuer.app.session() as db:
        await repository.invite(db, user_id, digest(token), issuer.app.now())
    return f"{issuer.url}/password?token={token}"


async def find_invite(issuer: DevIssuer, token: str) -> InvitedUser | None:
    """Return the user of a link; None where it was used, has expired, or never existed."""
    async with issuer.app.session() as db:
        return await repository.find_invite(db, digest(token), issuer.app.now())


async def set_password(issuer: DevIssuer, token: str, password: str) -> bool:
    """Set the password and use up the link; False where it is not valid."""
    user = await find_invite(issuer, token)
    if user is None:  # before the cost of a hash
        return False
    hashed = await issuer.passwords.hash(password)
    async with issuer.app.session() as db:
        if not await repository.use_invite(db, digest(token), issuer.app.now()):
            return False
        await repository.set_password(db, user.user_id, hashed, temporary=False)
    return True
