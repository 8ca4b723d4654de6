"""Tell the identity provider what it does not know yet. No transaction is open while it is asked.

Our own row has refused everybody since before that. Only when the provider has confirmed does a token with the new
number exist, and it makes none before the old sessions have ended (threats T8).
"""

from __future__ import annotations

import asyncio
from uuid import UUID

from vinc_kernel import App, NotFound, VincError, logger

from .. import repository
from ..contracts import IdentityProvider, ProviderUnavailable, UserMissing
from ..directory import provider_of
from ..schemas import Stored, Untold

SECONDS_TO_ANSWER = 20  # less than repository.TIME_TO_TELL: nobody else asks while somebody still waits
SECONDS_TO_WAIT = 5  # the same while a caller waits for our answer, which has refused the tokens already


async def told(app: App, principal_id: UUID) -> Stored:
    """The principal, once the provider was told what it must know of them; raises NotFound.

    Where it fails, or takes longer than a caller should wait, it is told again later.
    """
    provider = provider_of(app)
    while provider and (untold := await taken_on(app, provider, principal_id)):
        if await is_told(app, provider, untold, SECONDS_TO_WAIT) is not None:
            break
    async with app.session() as db:
        stored = await repository.one(db, principal_id)
    if stored is None:
        raise NotFound
    return stored


async def tell_all(app: App) -> None:
    """Tell all that is due; a provider that is away is left alone until the next time."""
    provider = provider_of(app)
    while provider and (untold := await taken_on(app, provider)):
        if isinstance(await is_told(app, provider, untold, SECONDS_TO_ANSWER), ProviderUnavailable):
            break


async def taken_on(app: App, provider: IdentityProvider, principal_id: UUID | None = None) -> Untold | None:
    async with app.session() as db:
        return await repository.take_on(db, provider.issuer, principal_id)


async def is_told(app: App, provider: IdentityProvider, untold: Untold, seconds: float) -> VincError | None:
    """Tell, and note that it is done; why it is not, where it failed: then it is due again after a while."""
    try:
        await tell(provider, untold, seconds)
    except VincError as error:
        logger.warning("the identity provider could not be told of the principal %s: %s", untold.id, error)
        return error
    async with app.session() as db:
        await repository.confirm(db, untold)
    return None


async def tell(provider: IdentityProvider, untold: Untold, seconds: float) -> None:
    """Disable before sessions end, and enable after it, so that none begins in between that should not."""
    try:
        async with asyncio.timeout(seconds):
            if untold.disabled and not untold.told:
                await provider.disable(untold.subject)
            if untold.generation > untold.confirmed:
                await provider.end_sessions(untold.subject, untold.generation)
            if not untold.disabled and not untold.told:
                await provider.disable(untold.subject, disabled=False)
    except UserMissing:  # who is not there gets no tokens
        logger.warning("the identity provider has no user for the principal %s any more", untold.id)
    except TimeoutError:
        raise ProviderUnavailable(f"it takes longer than {seconds:g} s to answer") from None
