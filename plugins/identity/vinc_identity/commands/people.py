"""`vinc identity ...`: super admins, and who may still come in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from annotated_doc import Doc

from vinc_kernel import App, print_table

from .. import repository
from ..service import people
from ..service.checked import email_of, name_of, password_of
from ..service.shown import slugs_of
from .changing import disable_found, enable_found, end_sessions_of
from .printing import day_of, say, state_of

Person = Annotated[str, Doc("their id or e-mail address")]


async def create_super_admin(
    app: App,
    *,
    email: Annotated[str, Doc("whom to let in")],
    name: Annotated[str, Doc("what they are called, for a user who is made")],
    temp_password: Annotated[str | bool, Doc("set this password instead of an invite; alone, one is made")] = False,
    activate: Annotated[bool, Doc("whether they may sign in already")] = True,
) -> None:
    """Make a super admin, or make one of a user who is there; who is one already stays as they are.

    They are sent an invite to choose a password, or get the temporary one that is given; without a value a strong one
    is made and printed. With --no-activate they are disabled until `vinc identity enable`, and nothing is sent: nobody
    can sign in until `vinc identity invite`.
    """
    password = password_of(temp_password)
    wanted = people.Wanted(email=email_of(email), name=name_of(name), password=password, activate=activate)
    done = await people.create_super_admin(app, wanted)
    say(f"{what_became(done)} {wanted.email}, {done.principal.id}")
    if password:
        shown = f": {password}" if temp_password is True else ""
        say(f"the temporary password is set, and must be changed at the first sign-in{shown}")
    elif done.invited:
        say_invited(done.link)
    if not done.enabled:
        say(f"the user is disabled: vinc identity enable {wanted.email}")
    if not password and not done.invited:
        say_nothing_sent(done, wanted.email)


def what_became(done: people.Done) -> str:
    if done.created:
        return "made the super admin"
    return "made a super admin of" if done.promoted else "there is already the super admin"


def say_nothing_sent(done: people.Done, email: str) -> None:
    invite = f"vinc identity invite {email} sends a link to choose a password"
    if done.created:
        say(f"nobody can sign in as this user until, after that, {invite}")
    else:
        say(f"nothing was sent: {invite}")


def say_invited(link: str | None) -> None:
    say("a mail was sent, by which to choose a password" if link is None else f"choose a password here, once: {link}")


async def invite(app: App, email: Annotated[str, Doc("whom")]) -> None:
    """Have a user choose a password: by a mail, or by a link that is printed once."""
    say_invited(await people.invite(app, email_of(email)))


async def list(app: App) -> None:  # noqa: A001  `vinc identity list`
    """List who has come in, or was registered: people and service accounts, and which of them may come in.

    Role and tenant are those of service accounts; what a person may, their tokens say. `pending`: the identity provider
    could not be told yet, and until then no token comes in.
    """
    async with app.session() as db:
        found = await repository.everybody(db)
    slugs = await slugs_of(app, found)
    rows = [
        (
            *(one.kind, one.email or one.name or one.subject, str(one.id), one.role or "", slugs[one.tenant]),
            *(state_of(app, one), day_of(one), one.issuer),
        )
        for one in found
    ]
    print_table([("kind", "principal", "id", "role", "tenant", "state", "last seen", "issuer"), *rows])


async def disable(app: App, person: Person) -> None:
    """Let nobody in as this person any more; their sessions end."""
    await disable_found(app, await people.named(app, person, "disable"))


async def enable(app: App, person: Person) -> None:
    """Let a person in again; they sign in anew."""
    await enable_found(app, await people.named(app, person, "enable"))


async def end_sessions(app: App, person: Person) -> None:
    """End all sessions of a person; they sign in anew."""
    await end_sessions_of(app, await people.named(app, person, "end"))


PEOPLE: tuple[Callable[..., Any], ...] = (create_super_admin, invite, list, disable, enable, end_sessions)
