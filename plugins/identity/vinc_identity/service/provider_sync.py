"""Synchronise changes to the identity provider. No transaction is open while it is called.

The change is already in force here. Tokens with the new generation exist only after the provider has applied it, which
is after it has ended the old sessions (threats T8).
"""

from __future__ import annotations

import asyncio
from uuid import UUID

from vinc_kernel import App, NotFound, VincError, logger

from .. import repository
from ..contracts import IdentityProvider, ProviderUnavailable, UserMissing
from ..directory import get_provider
from ..schemas import PendingSync, StoredPrincipal

TIMEOUT = 20  # seconds, less than repository.LEASE: no other worker calls while this one waits
REQUEST_TIMEOUT = 5  # seconds that a request waits; the old tokens are refused already


async def sync_principal(app: App, principal_id: UUID) -> StoredPrincipal:
    """Synchronise one principal and return it; raises NotFound.

    Where that fails, or takes longer than a request should wait, it is retried in the background.
    """
    provider = get_provider(app)
    while provider and (pending := await claim(app, provider, principal_id)):
        if await try_sync(app, provider, pending, REQUEST_TIMEOUT) is not None:
            break
    async with app.session() as db:
        principal = await repository.get(db, principal_id)
    if principal is None:
        raise NotFound
    return principal


async def sync_due(app: App) -> None:
    """Synchronise all principals that are due; stops where the provider is unavailable, until the next time."""
    provider = get_provider(app)
    while provider and (pending := await claim(app, provider)):
        if isinstance(await try_sync(app, provider, pending, TIMEOUT), ProviderUnavailable):
            break


async def claim(app: App, provider: IdentityProvider, principal_id: UUID | None = None) -> PendingSync | None:
    async with app.session() as db:
        return await repository.claim(db, provider.issuer, principal_id)


async def try_sync(app: App, provider: IdentityProvider, pending: PendingSync, seconds: float) -> VincError | None:
    """Synchronise, and return the error if it failed; then it is due again when the lease expires."""
    try:
        await apply(provider, pending, seconds)
    except VincError as error:
        logger.warning("the identity provider could not be updated for the principal %s: %s", pending.id, error)
        return error
    async with app.session() as db:
        await repository.complete(db, pending)
    return None


async def apply(provider: IdentityProvider, pending: PendingSync, seconds: float) -> None:
    """Disable before sessions end, and enable after, so that no session starts in between."""
    try:
        async with asyncio.timeout(seconds):
            if pending.disabled and not pending.provider_synced:
                await provider.disable(pending.subject)
            if pending.generation > pending.provider_generation:
                await provider.end_sessions(pending.subject, pending.generation)
            if not pending.disabled and not pending.provider_synced:
                await provider.disable(pending.subject, disabled=False)
    except UserMissing:  # a user who does not exist gets no tokens
        logger.warning("the identity provider no longer has a user for the principal %s", pending.id)
    except TimeoutError:
        raise ProviderUnavailable(f"it did not answer within {seconds:g} s") from None
