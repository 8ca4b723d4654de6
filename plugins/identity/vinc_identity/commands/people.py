"""`vinc identity ...`: super admins, and who may still come in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vinc_kernel import App

from .. import repository
from ..models import PERSON
from ..service import people
from ..service.checked import email_of, name_of, password_of
from .changing import disable_found, enable_found, end_sessions_of
from .printing import day_of, say, say_columns, state_of


async def create_super_admin(
    app: App, *, email: str, name: str, temp_password: str | bool = False, activate: bool = True
) -> None:
    """Make a super admin, or make one of a user who is there; who is one already stays as they are.

    They are sent an invite to choose a password, or get the temporary one that is given; without a value a strong one
    is made and printed. With --no-activate they are disabled, until `vinc identity enable`.
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
    elif done.enabled:
        say(f"nothing was sent: vinc identity invite {wanted.email} sends a link to choose a password")
    if not done.enabled:
        say(f"the user is disabled: vinc identity enable {wanted.email}")


def what_became(done: people.Done) -> str:
    if done.created:
        return "made the super admin"
    return "made a super admin of" if done.promoted else "there is already the super admin"


def say_invited(link: str | None) -> None:
    say("a mail was sent, by which to choose a password" if link is None else f"choose a password here, once: {link}")


async def invite(app: App, email: str) -> None:
    """Have a user choose a password: by a mail, or by a link that is printed once."""
    say_invited(await people.invite(app, email_of(email)))


async def list(app: App) -> None:  # noqa: A001  `vinc identity list`
    """List the people that have come in, or were registered: address, id, state, when last seen, issuer."""
    async with app.session() as db:
        found = await repository.every(db, PERSON)
    rows = [(one.email or one.subject, str(one.id), state_of(one), day_of(one), one.issuer) for one in found]
    say_columns([("person", "id", "state", "last seen", "issuer"), *rows])


async def disable(app: App, person: str) -> None:
    """Let nobody in as this person any more, by id or address; their sessions end."""
    await disable_found(app, await people.named(app, person))


async def enable(app: App, person: str) -> None:
    """Let a person in again, by id or address; they sign in anew."""
    await enable_found(app, await people.named(app, person))


async def end_sessions(app: App, person: str) -> None:
    """End all sessions of a person, by id or address; they sign in anew."""
    await end_sessions_of(app, await people.named(app, person))


PEOPLE: tuple[Callable[..., Any], ...] = (create_super_admin, invite, list, disable, enable, end_sessions)
