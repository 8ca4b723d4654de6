"""Delete service accounts: refused here first, then taken away at the provider, and forgotten here last.

Whatever fails in between, it stays disabled and can be deleted again.
"""

from __future__ import annotations

from contextlib import suppress

from vinc_kernel import App, VincError

from .. import repository
from ..contracts import UserMissing
from ..directory import StoredPrincipals, provider_of
from ..errors import Refused
from ..schemas import Stored
from . import changes
from .checked import account_name
from .machines import UNKNOWN
from .people import provider_here


async def delete(app: App, found: Stored) -> bool:
    """Delete one that is registered; raises Refused. False where no provider here looks after the one that made it."""
    await changes.disable(app, found.id)
    provider = provider_of(app)
    is_ours = provider is not None and provider.issuer == found.issuer
    if provider is not None and is_ours:
        try:
            with suppress(UserMissing):  # an earlier run has got so far
                await provider.delete_service(found.subject)
        except VincError as error:
            raise Refused(f"the account is disabled, and not deleted yet: {error}; then run this again") from error
    async with app.platform_session("delete a service account") as db:
        await repository.delete_service(db, found.id)
        app.get(StoredPrincipals).invalidate(db, found.key)
    return is_ours


async def delete_left_over(app: App, name: str) -> None:
    """Delete one that the provider has and nobody registered, as after a failure; raises Refused for none."""
    provider = provider_here(app)
    subject = await provider.find_service(name) if account_name(name) else None
    async with app.session() as db:
        registered = await repository.find(db, (provider.issuer, subject)) if subject else None
    if subject is None or registered is not None:
        raise Refused(UNKNOWN)
    with suppress(UserMissing):
        await provider.delete_service(subject)
