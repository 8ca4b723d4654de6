"""People as operators name them, and the first of them: a super admin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from vinc_kernel import App

from .. import repository
from ..contracts import IdentityProvider, Profile, ProviderUnavailable, ProviderUser
from ..directory import provider_of
from ..errors import Refused
from ..models import SERVICE
from ..permissions import SUPER_ADMIN
from ..schemas import Stored
from . import changes
from .checked import email_of, id_of

NO_PROVIDER = "no identity provider runs: enable exactly one, like vinc plugins enable keycloak, and say where it is"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The super admin that an operator wants; without a `password` they are sent an invite."""

    email: str
    name: str
    password: str = ""
    activate: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of it. `invited`: to choose a password, by mail or by the `link`."""

    principal: Stored
    created: bool
    promoted: bool
    enabled: bool
    invited: bool = False
    link: str | None = None


def provider_here(app: App) -> IdentityProvider:
    """Who signs people in here; raises Refused where nobody does."""
    provider = provider_of(app)
    if provider is None:
        raise Refused(NO_PROVIDER)
    return provider


async def create_super_admin(app: App, wanted: Wanted) -> Done:
    """Make a super admin, or make one of somebody who is there; who is one already stays as they are.

    Raises what the provider raises: run it again then, and it goes on.
    """
    provider = provider_here(app)
    found = await provider.find(wanted.email)
    first_role = SUPER_ADMIN if wanted.activate else ""  # else it is given once the user is disabled
    user = found or await provider.create(Profile(email=wanted.email, name=wanted.name, role=first_role))
    promoted = user.profile.role != SUPER_ADMIN
    principal = await register(app, provider, user, wanted.name)
    enabled = user.enabled and not principal.disabled
    if promoted and enabled and not wanted.activate:
        await disabled(app, provider, principal.id)
        enabled = False
    if promoted:
        await provider.update(user.subject, replace(user.profile, role=SUPER_ADMIN, name=wanted.name))
    if wanted.password:
        await provider.set_password(user.subject, wanted.password, temporary=True)
    invited = found is None and wanted.activate and not wanted.password
    link = await provider.invite(user.subject) if invited else None
    return Done(
        principal=principal,
        created=found is None,
        promoted=promoted and found is not None,
        enabled=enabled,
        invited=invited,
        link=link,
    )


async def disabled(app: App, provider: IdentityProvider, principal_id: UUID) -> None:
    """Disable, and raise Refused where the provider does not know of it yet."""
    stored = await changes.disable(app, principal_id)
    if stored.provider(provider.issuer) != "confirmed":
        raise Refused("the user could not be disabled at the identity provider, and was given no role: try again later")


async def register(app: App, provider: IdentityProvider, user: ProviderUser, name: str = "") -> Stored:
    """Remember somebody whom the provider knows, also before they come in for the first time."""
    values = {
        "issuer": provider.issuer,
        "subject": user.subject,
        "email": user.profile.email.lower(),
        "name": user.profile.name or name,
    }
    async with app.platform_session("an operator registers a person") as db:
        return await repository.register(db, values)


async def invite(app: App, email: str) -> str | None:
    """Have somebody choose a password: by mail, or by the link that is given back; raises Refused."""
    provider = provider_here(app)
    user = await provider.find(email)
    if user is None:
        raise Refused("the identity provider has no user with this address")
    return await provider.invite(user.subject)


async def named(app: App, text: str, verb: str) -> Stored:
    """The person with this id or address, whom perhaps only the provider knows so far; raises Refused.

    Of a service account it says which command does the same: `verb` is the last word of that.
    """
    principal_id = id_of(text)
    async with app.session() as db:
        found = await repository.one(db, principal_id) if principal_id else None
        services = [] if principal_id else await repository.services_called(db, text)
    if services or (found and found.kind == SERVICE):
        raise Refused(f"{text} is a service account: vinc identity service-account {verb} {text}")
    if principal_id is None:
        return await known_to_provider(app, email_of(text))
    if found is None:
        raise Refused("there is no person with this id: vinc identity list shows them")
    return found


async def known_to_provider(app: App, email: str) -> Stored:
    """Whose address it is says the provider alone: a token may claim anybody's (threats T12)."""
    async with app.session() as db:
        people = await repository.people_with(db, email)
    ids = ", ".join(str(one.id) for one in people)
    provider = provider_of(app)
    try:
        user = await provider.find(email) if provider else None
    except ProviderUnavailable as error:
        cure = f"by their id it works without the provider: {ids}" if ids else "vinc identity list shows ids"
        raise Refused(f"nothing has changed, as whose address this is cannot be asked: {error}; {cure}") from error
    if provider is not None and user is not None:
        return await register(app, provider, user)
    if people:
        raise Refused(f"the provider has nobody with this address; who has come in with it is named by id: {ids}")
    raise Refused("there is no person with this address, neither here nor at an identity provider")
