"""Service accounts: machines that an operator registers, each with a role in one tenant, for a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vinc_kernel import App, TenantDirectory

from .. import repository
from ..contracts import Profile, ServiceCredentials
from ..errors import Refused
from ..models import SERVICE
from ..permissions import OF_SERVICES
from ..schemas import Stored
from .people import id_of, provider_here


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
    made = await provider.create_service(wanted.name, profile)
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


async def named(app: App, text: str) -> Stored:
    """The service account with this id or name; raises Refused."""
    async with app.session() as db:
        account_id = id_of(text)
        if account_id is None:
            found = await repository.services_called(db, text)
        else:
            found = [one for one in [await repository.one(db, account_id)] if one is not None and one.kind == SERVICE]
    if not found:
        raise Refused("there is no service account with this id or name: vinc identity service-account list shows them")
    if len(found) > 1:
        ids = ", ".join(str(one.id) for one in found)
        raise Refused(f"several service accounts have this name: name one by its id: {ids}")
    return found[0]
