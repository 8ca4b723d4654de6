"""Look up people by id or e-mail address, and create super admins."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vinc_kernel import App

from .. import repository
from ..contracts import IdentityProvider, Profile, ProviderUnavailable, ProviderUser
from ..directory import get_provider
from ..errors import Refused
from ..models import SERVICE
from ..permissions import SUPER_ADMIN
from ..schemas import StoredPrincipal
from . import changes
from .validation import check_email, parse_id

NO_PROVIDER = "no identity provider runs: enable exactly one, like vinc plugins enable keycloak, and configure it"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSuperAdmin:
    """The super admin that an operator creates; without a `password` they get an invite."""

    email: str
    name: str
    password: str = ""
    activate: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperAdminResult:
    """What was done. `invited`: they choose a password, by a mail or by the `link`."""

    principal: StoredPrincipal
    created: bool
    promoted: bool
    enabled: bool
    invited: bool = False
    link: str | None = None


def require_provider(app: App) -> IdentityProvider:
    """Return the identity provider; raises Refused where there is none."""
    provider = get_provider(app)
    if provider is None:
        raise Refused(NO_PROVIDER)
    return provider


async def create_super_admin(app: App, new: NewSuperAdmin) -> SuperAdminResult:
    """Create a super admin, or promote an existing user; an existing super admin is not changed.

    Raises the provider's errors; running it again then continues.
    """
    provider = require_provider(app)
    existing = await provider.find(new.email)
    first_role = SUPER_ADMIN if new.activate else ""  # otherwise it is set once the user is disabled
    user = existing or await provider.create(Profile(email=new.email, name=new.name, role=first_role))
    needs_role = user.profile.role != SUPER_ADMIN
    principal = await register(app, provider, user, new.name)
    enabled = user.enabled and not principal.disabled
    if needs_role and enabled and not new.activate:
        disabled = await changes.disable(app, principal.id)
        if disabled.provider_state(provider.issuer) != "confirmed":
            what = "the user could not be disabled at the identity provider, and was given no role"
            raise Refused(f"{what}: try again later")
        enabled = False
    if needs_role:
        await provider.update(user.subject, replace(user.profile, role=SUPER_ADMIN, name=new.name))
    if new.password:
        await provider.set_password(user.subject, new.password, temporary=True)
    invited = existing is None and new.activate and not new.password
    link = await provider.invite(user.subject) if invited else None
    return SuperAdminResult(
        principal=principal,
        created=existing is None,
        promoted=needs_role and existing is not None,
        enabled=enabled,
        invited=invited,
        link=link,
    )


async def register(app: App, provider: IdentityProvider, user: ProviderUser, name: str = "") -> StoredPrincipal:
    """Store a user of the provider who may not have signed in yet."""
    values = {
        "issuer": provider.issuer,
        "subject": user.subject,
        "email": user.profile.email.lower(),
        "name": user.profile.name or name,
    }
    async with app.platform_session("an operator registers a person") as db:
        return await repository.register(db, values)


async def invite(app: App, email: str) -> str | None:
    """Let a user choose a password, by a mail or by the link that is returned; raises Refused."""
    provider = require_provider(app)
    user = await provider.find(email)
    if user is None:
        raise Refused("the identity provider has no user with this address")
    return await provider.invite(user.subject)


async def get_person(app: App, text: str, verb: str) -> StoredPrincipal:
    """Return the person with this id or address, who may only be known to the provider; raises Refused.

    The error for a service account names its own command, which ends in `verb`.
    """
    principal_id = parse_id(text)
    async with app.session() as db:
        principal = await repository.get(db, principal_id) if principal_id else None
        services = [] if principal_id else await repository.list_services_by_name(db, text)
    if services or (principal and principal.kind == SERVICE):
        raise Refused(f"{text} is a service account: vinc identity service-account {verb} {text}")
    if principal_id is None:
        return await get_person_by_email(app, check_email(text))
    if principal is None:
        raise Refused("there is no person with this id: vinc identity list shows them")
    return principal


async def get_person_by_email(app: App, email: str) -> StoredPrincipal:
    """Return the person with this address at the provider; a token may claim any address (threats T12)."""
    async with app.session() as db:
        people = await repository.list_people_by_email(db, email)
    ids = ", ".join(str(one.id) for one in people)
    provider = get_provider(app)
    try:
        user = await provider.find(email) if provider else None
    except ProviderUnavailable as error:
        cure = f"ids work without the provider: {ids}" if ids else "vinc identity list shows ids"
        raise Refused(f"nothing has changed, the address cannot be looked up: {error}; {cure}") from error
    if provider is not None and user is not None:
        return await register(app, provider, user)
    if people:
        raise Refused(f"the provider has no user with this address; who signed in with it is named by id: {ids}")
    raise Refused("there is no person with this address, neither here nor at an identity provider")
