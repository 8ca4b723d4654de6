"""Delete service accounts: disabled here first, then deleted at the provider, and deleted here last.

If a step fails the account stays disabled, and the deletion can be repeated.
"""

from __future__ import annotations

from contextlib import suppress

from vinc_kernel import App, VincError

from .. import repository
from ..contracts import UserMissing
from ..directory import StoredPrincipals, get_provider
from ..errors import Refused
from ..schemas import StoredPrincipal
from . import changes
from .people import require_provider
from .service_accounts import UNKNOWN
from .validation import is_account_name


async def delete(app: App, account: StoredPrincipal) -> bool:
    """Delete a registered account; raises Refused. Return False where no provider here manages its issuer."""
    await changes.disable(app, account.id)
    provider = get_provider(app)
    is_managed = provider is not None and provider.issuer == account.issuer
    if provider is not None and is_managed:
        try:
            with suppress(UserMissing):  # an earlier run has deleted it there
                await provider.delete_service(account.subject)
        except VincError as error:
            raise Refused(f"the account is disabled, and not deleted yet: {error}; then run this again") from error
    async with app.platform_session("delete a service account") as db:
        await repository.delete_service(db, account.id)
        app.get(StoredPrincipals).cache.invalidate(db, account.key)
    return is_managed


async def delete_unregistered(app: App, name: str) -> None:
    """Delete an account that the provider has and that is not registered here, as after a failure; raises Refused."""
    provider = require_provider(app)
    subject = await provider.find_service(name) if is_account_name(name) else None
    async with app.session() as db:
        registered = await repository.find(db, (provider.issuer, subject)) if subject else None
    if subject is None or registered is not None:
        raise Refused(UNKNOWN)
    with suppress(UserMissing):
        await provider.delete_service(subject)
