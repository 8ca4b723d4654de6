"""`vinc identity ...`: super admins, and disabling people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from annotated_doc import Doc

from vinc_kernel import App, print_table

from .. import repository
from ..service import changes, people
from ..service.presentation import get_tenant_slugs
from ..service.validation import check_email, check_name, check_password
from .printing import format_last_seen, format_state, print_change

Person = Annotated[str, Doc("their id or e-mail address")]


async def create_super_admin(
    app: App,
    *,
    email: Annotated[str, Doc("their e-mail address")],
    name: Annotated[str, Doc("their name, for a user who is created")],
    temp_password: Annotated[str | bool, Doc("set this password and send no invite; alone, one is generated")] = False,
    activate: Annotated[bool, Doc("whether they may sign in now")] = True,
) -> None:
    """Create a super admin, or promote an existing user; an existing super admin is not changed.

    They get an invite to choose a password, or this temporary password; without a value a strong one is generated and
    printed. With --no-activate they stay disabled until `vinc identity enable`, and nothing is sent: they cannot sign
    in until `vinc identity invite`.
    """
    password = check_password(temp_password)
    request = people.NewSuperAdmin(
        email=check_email(email), name=check_name(name), password=password, activate=activate
    )
    result = await people.create_super_admin(app, request)
    print(f"{describe(result)} {request.email}, {result.principal.id}")
    if password:
        generated = f": {password}" if temp_password is True else ""
        print(f"the temporary password is set, and must be changed at the first sign-in{generated}")
    elif result.invited:
        print_invite(result.link)
    if not result.enabled:
        print(f"the user is disabled: vinc identity enable {request.email}")
    if not password and not result.invited:
        print_no_invite(result, request.email)


def describe(result: people.SuperAdminResult) -> str:
    if result.created:
        return "created the super admin"
    return "promoted to super admin:" if result.promoted else "there is already the super admin"


def print_no_invite(result: people.SuperAdminResult, email: str) -> None:
    invite = f"vinc identity invite {email} sends a link to choose a password"
    if result.created:
        print(f"after that the user still needs a password: {invite}")
    else:
        print(f"nothing was sent: {invite}")


def print_invite(link: str | None) -> None:
    print("a mail was sent with a link to choose a password" if link is None else f"choose a password, once: {link}")


async def invite(app: App, email: Annotated[str, Doc("their e-mail address")]) -> None:
    """Let a user choose a password, by a mail or by a link that is printed once."""
    print_invite(await people.invite(app, check_email(email)))


async def list(app: App) -> None:  # noqa: A001  `vinc identity list`
    """List all people and service accounts, and whether they are active.

    Role and tenant are shown for service accounts; those of people are in their tokens. `pending`: the identity
    provider has not applied a change yet, and until then all tokens are refused.
    """
    async with app.session() as db:
        principals = await repository.list_all(db)
    slugs = await get_tenant_slugs(app, principals)
    rows = [
        (
            *(one.kind, one.email or one.name or one.subject, str(one.id), one.role or "", slugs[one.tenant]),
            *(format_state(app, one), format_last_seen(one), one.issuer),
        )
        for one in principals
    ]
    print_table([("kind", "principal", "id", "role", "tenant", "state", "last seen", "issuer"), *rows])


async def disable(app: App, person: Person) -> None:
    """Disable a person; their sessions end."""
    principal = await people.get_person(app, person, "disable")
    print_change(app, await changes.disable(app, principal.id), changes.DISABLED)


async def enable(app: App, person: Person) -> None:
    """Enable a person, who must sign in again."""
    principal = await people.get_person(app, person, "enable")
    print_change(app, await changes.enable(app, principal.id), changes.ENABLED)


async def end_sessions(app: App, person: Person) -> None:
    """End all sessions of a person, who must sign in again."""
    principal = await people.get_person(app, person, "end")
    print_change(app, await changes.end_sessions(app, principal.id), changes.SIGNED_OUT)


PEOPLE: tuple[Callable[..., Any], ...] = (create_super_admin, invite, list, disable, enable, end_sessions)
