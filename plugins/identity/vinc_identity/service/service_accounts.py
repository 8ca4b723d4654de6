"""Service accounts: registered by an operator, each with a role in one tenant, and an expiry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vinc_kernel import App, TenantDirectory

from .. import repository
from ..contracts import IdentityProvider, Profile, ServiceCredentials, UserExists, UserMissing
from ..errors import Refused
from ..models import SERVICE
from ..permissions import SERVICE_ROLES
from ..schemas import StoredPrincipal
from .people import require_provider
from .validation import parse_id

UNKNOWN = "there is no service account with this id or name: vinc identity service-account list shows them"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewServiceAccount:
    """A service account that an operator creates."""

    name: str
    tenant: str
    role: str
    expires_at: datetime


async def create(app: App, account: NewServiceAccount) -> ServiceCredentials:
    """Create it at the provider and register it here; its tokens are refused until it is registered.

    Raises Refused, and the provider's errors.
    """
    role = SERVICE_ROLES.get(account.role)
    if role is None:
        roles = ", ".join(dict.fromkeys(SERVICE_ROLES.values()))
        raise Refused(f"a service account has one of the roles {roles}, and not {account.role!r}")
    tenant = await app.get(TenantDirectory).find(parse_id(account.tenant) or account.tenant)
    if tenant is None:
        raise Refused(f"there is no tenant {account.tenant!r}: vinc tenants list shows them")
    provider = require_provider(app)
    profile = Profile(email="", name=account.name, role=role, tenants=[str(tenant.id)])
    credentials = await create_at_provider(app, provider, account.name, profile)
    values = {
        "issuer": provider.issuer,
        "subject": credentials.subject,
        "kind": SERVICE,
        "name": account.name,
        "role": role,
        "tenant": tenant.id,
        "expires_at": account.expires_at,
    }
    async with app.platform_session("an operator registers a service account") as db:
        await repository.add(db, values)
    return credentials


async def create_at_provider(app: App, provider: IdentityProvider, name: str, profile: Profile) -> ServiceCredentials:
    """Create the account at the provider; raises UserExists, and Refused where it exists there and not here."""
    try:
        return await provider.create_service(name, profile)
    except UserExists as exists:
        subject = await provider.find_service(name)
        async with app.session() as db:
            is_unregistered = subject is not None and await repository.find(db, (provider.issuer, subject)) is None
        if not is_unregistered:
            raise
        what = f"the identity provider has a service account {name} that is not registered here"
        why = "another command is creating it now, or has failed to"
        cure = f"if none is, vinc identity service-account delete {name} deletes it there, and it can be created again"
        raise Refused(f"{what}: {why}; {cure}") from exists


async def new_secret(app: App, account: StoredPrincipal) -> ServiceCredentials:
    """Replace the secret; raises Refused.

    The caller ends the account's sessions afterwards, and not before: the old secret would get new tokens until then.
    """
    provider = require_provider(app)
    if account.issuer != provider.issuer:
        raise Refused(f"no identity provider that is enabled here manages {account.issuer}, which created this account")
    try:
        return await provider.new_service_secret(account.subject)
    except UserMissing as missing:
        cure = f"vinc identity service-account delete {account.id}, and then create it again"
        raise Refused(f"the identity provider no longer has this service account: {cure}") from missing


async def get_account(app: App, text: str) -> StoredPrincipal:
    """Return the service account with this id or name; raises Refused."""
    account = await find_account(app, text)
    if account is None:
        raise Refused(UNKNOWN)
    return account


async def find_account(app: App, text: str) -> StoredPrincipal | None:
    """Return the service account with this id or name, or None; raises Refused for a name that several have."""
    account_id = parse_id(text)
    async with app.session() as db:
        if account_id is not None:
            account = await repository.get(db, account_id)
            return account if account is not None and account.kind == SERVICE else None
        accounts = await repository.list_services_by_name(db, text)
    if len(accounts) > 1:
        ids = ", ".join(str(one.id) for one in accounts)
        raise Refused(f"several service accounts have this name, use one of the ids: {ids}")
    return accounts[0] if accounts else None
