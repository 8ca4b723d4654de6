"""The kernel's directory of principals, from this plugin's table, cached until they change.

The kernel calls it with each request, so credentials that were resolved before cost a lookup and a comparison.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from vinc_kernel import App, Cache, Principal, logger

from . import repository
from .claims import read_generation
from .contracts import IdentityProvider
from .repository import Key
from .schemas import StoredPrincipal

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True, eq=False)
class CachedPrincipal:
    """A principal as stored, and the last credentials that were resolved to it, with the result.

    A new one is made after each change, so that a result is never older than the row that it is based on.
    """

    stored: StoredPrincipal
    credentials: Principal | None = None
    resolved: Principal | None = None

    @property
    def expires_at(self) -> datetime:
        return self.stored.expires_at or NEVER

    def refusal(self, principal: Principal, generation: int, now: datetime) -> str:
        """Return why the principal is refused; empty when it is accepted."""
        if self.stored.disabled:
            return "it is disabled"
        if principal.kind != self.stored.kind:
            return f"it is known as a {self.stored.kind}, and the token is of a {principal.kind}"
        if generation != self.stored.generation:
            return "the session has ended"
        return "" if now < self.expires_at else "the account has expired"


def get_provider(app: App) -> IdentityProvider | None:
    """Return the identity provider; None where no plugin provides one, or while it does not run."""
    try:
        provider: IdentityProvider = app.get(IdentityProvider)
    except LookupError:
        return None
    return provider


def get_managed_issuer(app: App) -> str:
    """Return the issuer whose sessions can be ended from here; empty for none."""
    provider = get_provider(app)
    return provider.issuer if provider else ""


@dataclass(frozen=True, slots=True)
class StoredPrincipals:
    """Principals by issuer and subject. `last_seen` and `emails` are not written yet, by id."""

    app: App
    cache: Cache[Key, CachedPrincipal]
    last_seen: dict[UUID, datetime] = field(default_factory=dict)
    emails: dict[UUID, str] = field(default_factory=dict)

    @classmethod
    def of(cls, app: App) -> Self:
        async def load(key: Key) -> CachedPrincipal | None:
            async with app.session() as db:
                stored = await repository.find(db, key)
            return CachedPrincipal(stored) if stored else None

        return cls(app, app.cache("principal", load))

    async def resolve(self, principal: Principal) -> Principal | None:
        """Return the principal with its id; None when it is refused. Raises what the database raises."""
        now = self.app.now()
        cached = self.cache.peek((principal.issuer, principal.subject))
        if cached is not None and cached.credentials is principal and now < cached.expires_at:
            self.last_seen[cached.stored.id] = now
            return cached.resolved
        return await self.check(principal, now)

    async def check(self, principal: Principal, now: datetime) -> Principal | None:
        """Resolve credentials that were not seen before."""
        key, generation = (principal.issuer, principal.subject), read_generation(principal.claims)
        if generation is None:
            logger.info("credentials are refused: vinc_generation is not a number")
            return None
        cached = await self.cache.get(key)
        if cached is None:
            cached = await self.add_person(key, principal, generation)
        elif generation > cached.stored.generation:
            cached = await self.catch_up(key, generation)
        if cached is None:
            logger.warning("refused: no service account is registered for the subject %s", principal.subject)
            return None
        if reason := cached.refusal(principal, generation, now):
            logger.info("the principal %s is refused: %s", cached.stored.id, reason)
            return None
        email = principal.email.lower()
        if email and email != cached.stored.email:
            self.emails[cached.stored.id] = email
        self.last_seen[cached.stored.id] = now
        cached.credentials, cached.resolved = principal, replace(principal, id=cached.stored.id)
        return cached.resolved

    async def add_person(self, key: Key, principal: Principal, generation: int) -> CachedPrincipal | None:
        """Store a person at the first sign-in; None for a service account, which an operator must register."""
        if principal.kind != "person":
            return None
        values = {"issuer": key[0], "subject": key[1], "email": principal.email.lower()}
        async with self.app.session() as db:
            await repository.add(db, {**values, "generation": generation, "provider_generation": generation})
            # Not from the cache: it may be loading since before the row was added.
            stored = await repository.find(db, key)
        return CachedPrincipal(stored) if stored else None

    async def catch_up(self, key: Key, generation: int) -> CachedPrincipal | None:
        """Return the principal for a token that is ahead of the cache.

        Usually it is a sign-in right after the sessions ended, and this worker has not seen that change yet. Otherwise
        the provider counts ahead of the table, as after a restored backup: its tokens may belong to sessions that were
        ended, so all sessions end and the user signs in again. Sessions of an issuer that is not managed here are ended
        elsewhere, and its highest number is taken over.
        """
        async with self.app.session() as db:
            stored = await repository.find(db, key)
            if stored is None or stored.generation >= generation:
                return CachedPrincipal(stored) if stored else None
            self.cache.invalidate(db, key)
            if key[0] != get_managed_issuer(self.app):
                return CachedPrincipal(await repository.adopt_generation(db, key, generation))
            await repository.pass_generation(db, key, generation)
        logger.warning("the principal %s has a token with a later generation than stored: its sessions end", stored.id)
        return CachedPrincipal(stored)
