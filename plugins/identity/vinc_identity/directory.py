"""The kernel's directory of principals, from this plugin's table, and cached until they change.

ListQuery with each request, so the way of one that was asked before costs a look-up, a comparison and a note.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf
from time import time
from typing import Self
from uuid import UUID

from vinc_kernel import App, Cache, Principal, Session, logger

from . import repository
from .claims import generation_in
from .contracts import IdentityProvider
from .repository import Key
from .schemas import Stored


@dataclass(slots=True, eq=False)
class Known:
    """What is remembered of a principal, and the last answer that was given with it.

    It is made anew after each change, so that an answer is never older than what it was made of. `expires` is in
    seconds since 1970.
    """

    id: UUID
    kind: str
    email: str
    disabled: bool
    generation: int
    expires: float
    given: Principal | None = None
    recognised: Principal | None = None

    @classmethod
    def of(cls, stored: Stored) -> Self:
        return cls(
            id=stored.id,
            kind=stored.kind,
            email=stored.email,
            disabled=stored.disabled,
            generation=stored.generation,
            expires=stored.expires_at.timestamp() if stored.expires_at else inf,
        )

    def objection(self, principal: Principal, generation: int, now: float) -> str:
        """Why the principal may not come in; empty when they may."""
        if self.disabled:
            return "it is disabled"
        if principal.kind != self.kind:
            return f"it is known as a {self.kind}, and the token is of a {principal.kind}"
        if generation != self.generation:
            return "the session has ended"
        return "" if now < self.expires else "the account has expired"


def provider_of(app: App) -> IdentityProvider | None:
    """Who signs people in here; None where no plugin does, or while it does not run."""
    try:
        provider: IdentityProvider = app.get(IdentityProvider)
    except LookupError:
        return None
    return provider


def administered(app: App) -> str:
    """The issuer whose sessions can be ended from here; empty for none."""
    provider = provider_of(app)
    return provider.issuer if provider else ""


@dataclass(frozen=True, slots=True)
class StoredPrincipals:
    """Principals by issuer and subject. `seen` and `emails` are what is to be written of them, by id."""

    app: App
    known: Cache[Key, Known]
    seen: dict[UUID, float] = field(default_factory=dict)
    emails: dict[UUID, str] = field(default_factory=dict)

    @classmethod
    def of(cls, app: App) -> Self:
        """The directory of this application."""

        async def load(key: Key) -> Known | None:
            async with app.session() as db:
                found = await repository.find(db, key)
            return Known.of(found) if found else None

        return cls(app, app.cache("principal", load))

    async def resolve(self, principal: Principal) -> Principal | None:
        """The principal with their id; None when they may not come in. Raises what the database raises."""
        found = self.known.peek((principal.issuer, principal.subject))
        if found is not None and found.given is principal and (now := time()) < found.expires:
            self.seen[found.id] = now
            return found.recognised
        return await self.looked_at(principal)

    async def looked_at(self, principal: Principal) -> Principal | None:
        key, generation = (principal.issuer, principal.subject), generation_in(principal.claims)
        if generation is None:
            logger.info("credentials are refused: vinc_generation is no number")
            return None
        found = await self.known.get(key)
        if found is None:
            found = await self.first_seen(key, principal, generation)
        elif generation > found.generation:
            found = await self.caught_up(key, generation)
        if found is None:
            logger.warning("refused: no service account is registered for the subject %s", principal.subject)
            return None
        now = time()
        if why := found.objection(principal, generation, now):
            logger.info("the principal %s is refused: %s", found.id, why)
            return None
        email = principal.email.lower()
        if email and email != found.email:
            self.emails[found.id] = email
        self.seen[found.id] = now
        found.given, found.recognised = principal, replace(principal, id=found.id)
        return found.recognised

    async def first_seen(self, key: Key, principal: Principal, generation: int) -> Known | None:
        """Remember a person from now on; a service account is registered by an operator, or by nobody."""
        if principal.kind != "person":
            return None
        values = {"issuer": key[0], "subject": key[1], "email": principal.email.lower()}
        async with self.app.session() as db:
            await repository.add(db, {**values, "generation": generation, "confirmed": generation})
            # Not from the cache: it may be looking since before there was anything to find.
            found = await repository.find(db, key)
        return Known.of(found) if found else None

    async def caught_up(self, key: Key, generation: int) -> Known | None:
        """What is remembered by now: it is a login right after the sessions ended, of which this worker has not heard.

        Else the provider counts ahead of us, as after a backup was restored. Sessions that have ended may be among
        those that it stamps: all of them end, and the person signs in anew. Of an issuer that is not administered from
        here somebody else ends the sessions, and the highest number counts.
        """
        async with self.app.session() as db:
            found = await repository.find(db, key)
            if found is None or found.generation >= generation:
                return Known.of(found) if found else None
            self.invalidate(db, key)
            if key[0] != administered(self.app):
                return Known.of(await repository.rise(db, key, generation))
            await repository.count_on(db, key, generation)
        logger.warning("the principal %s has a token of later than is known here: its sessions end", found.id)
        return Known.of(found)

    def invalidate(self, db: Session, key: Key) -> None:
        """Have every worker look again, once the session's transaction is committed."""
        self.known.invalidate(db, key)
