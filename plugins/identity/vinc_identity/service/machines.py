"""Service accounts: machines that an operator registers, each with a role in one tenant, for a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vinc_kernel import App, TenantDirectory

from .. import repository
from ..contracts import IdentityProvider, Profile, ServiceCredentials, UserExists, UserMissing
from ..errors import Refused
from ..models import SERVICE
from ..permissions import OF_SERVICES
from ..schemas import Stored
from .checked import id_of
from .people import provider_here

UNKNOWN = "there is no service account with this id or name: vinc identity service-account list shows them"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedAccount:
    """The service account that an operator wants."""

    name: str
    tenant: str
    role: str
    expires_at: datetime


async def create(app: App, wanted: WantedAccount) -> ServiceCredentials:
    """Make it at the provider, and register it here; until that is done its tokens are refused.

    Raises Refused, and what the provider raises.
    """
    role = OF_SERVICES.get(wanted.role)
    if role is None:
        known = ", ".join(dict.fromkeys(OF_SERVICES.values()))
        raise Refused(f"a service account has one of the roles {known}, and not {wanted.role!r}")
    tenant = await app.get(TenantDirectory).find(id_of(wanted.tenant) or wanted.tenant)
    if tenant is None:
        raise Refused(f"there is no tenant {wanted.tenant!r}: vinc tenants list shows them")
    provider = provider_here(app)
    profile = Profile(email="", name=wanted.name, role=role, tenants=[str(tenant.id)])
    made = await made_by(app, provider, wanted.name, profile)
    values = {
        "issuer": provider.issuer,
        "subject": made.subject,
        "kind": SERVICE,
        "name": wanted.name,
        "role": role,
        "tenant": tenant.id,
        "expires_at": wanted.expires_at,
    }
    async with app.platform_session("an operator registers a service account") as db:
        await repository.add(db, values)
    return made


async def made_by(app: App, provider: IdentityProvider, name: str, profile: Profile) -> ServiceCredentials:
    """Raises UserExists, and Refused where an earlier run has made it there and got no further."""
    try:
        return await provider.create_service(name, profile)
    except UserExists as exists:
        subject = await provider.find_service(name)
        async with app.session() as db:
            is_left_over = subject is not None and await repository.find(db, (provider.issuer, subject)) is None
        if not is_left_over:
            raise
        what = f"the identity provider has a service account {name} that is not registered here"
        why = "somebody is just making it, or has failed to"
        cure = f"if nobody is, vinc identity service-account delete {name} removes it there, and it can be made anew"
        raise Refused(f"{what}: {why}; {cure}") from exists


async def new_secret(app: App, found: Stored) -> ServiceCredentials:
    """Give it another secret; raises Refused.

    The caller ends its tokens after that, and not before: else the old secret would still get new ones.
    """
    provider = provider_here(app)
    if found.issuer != provider.issuer:
        raise Refused(f"no identity provider that is enabled here looks after {found.issuer}, which made this account")
    try:
        return await provider.new_service_secret(found.subject)
    except UserMissing as missing:
        cure = f"vinc identity service-account delete {found.id}, and then create it anew"
        raise Refused(f"the identity provider has this service account no more: {cure}") from missing


async def named(app: App, text: str) -> Stored:
    """The service account with this id or name; raises Refused."""
    found = await known(app, text)
    if found is None:
        raise Refused(UNKNOWN)
    return found


async def known(app: App, text: str) -> Stored | None:
    """The service account with this id or name, if one is registered; raises Refused for a name that several have."""
    async with app.session() as db:
        account_id = id_of(text)
        if account_id is None:
            found = await repository.services_called(db, text)
        else:
            found = [one for one in [await repository.one(db, account_id)] if one is not None and one.kind == SERVICE]
    if len(found) > 1:
        ids = ", ".join(str(one.id) for one in found)
        raise Refused(f"several service accounts have this name: name one by its id: {ids}")
    return found[0] if found else None
