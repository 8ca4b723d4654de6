"""What an operator writes, checked before anything is done with it: each raises Refused with what to write instead."""

import re
import secrets
import string
from datetime import UTC, date, datetime
from uuid import UUID

from email_validator import EmailNotValidError, validate_email

from ..errors import Refused

LONGEST_EMAIL = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
LONGEST_NAME = 200
KINDS_OF_CHARACTERS = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "-._")
SHORTEST_PASSWORD, LENGTH_OF_PASSWORD = 12, 20
account_name = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?").fullmatch


def email_of(text: str) -> str:
    """An e-mail address in small letters, as principals are found by."""
    try:
        found = validate_email(text[: LONGEST_EMAIL + 1], check_deliverability=False, strict=True)
    except EmailNotValidError:  # its text may quote the address
        raise Refused("this is no e-mail address: write it as somebody@example.com") from None
    return f"{found.local_part}@{found.ascii_domain}".lower()


def name_of(text: str) -> str:
    """A person's name: one line."""
    name = text.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Refused(f"the name must be one line of 1 to {LONGEST_NAME} characters")
    return name


def account_name_of(text: str) -> str:
    """A service account's name, which nobody can take for an id."""
    if not account_name(text) or id_of(text) is not None:
        rule = "1 to 63 small letters, digits and hyphens, and no id"
        raise Refused(f"a service account is called like billing-export: {rule}")
    return text


def id_of(text: str) -> UUID | None:
    """The id that this is; None for a name or an address."""
    try:
        return UUID(text)
    except ValueError:
        return None


def end_of(day: date) -> datetime:
    """When an account expires: as that day begins, in UTC."""
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if moment <= datetime.now(UTC):
        raise Refused("the account would have expired already: --expires takes a day to come, as 2031-12-31")
    return moment


def password_of(given: str | bool) -> str:  # noqa: FBT001  what `--temp-password [VALUE]` gives
    """The password that was given, or a strong one of our own where none was; empty for False."""
    if given is False:
        return ""
    if given is True:
        return strong_password()
    if len(given.strip()) < SHORTEST_PASSWORD:
        rule = f"the password needs {SHORTEST_PASSWORD} characters"
        raise Refused(f"{rule}: give another one, or --temp-password alone to have one made")
    return given


def strong_password() -> str:
    """A random one, of all kinds of characters that a provider may insist on."""
    characters = "".join(KINDS_OF_CHARACTERS)
    while True:
        made = "".join(secrets.choice(characters) for _ in range(LENGTH_OF_PASSWORD))
        if all(set(kind) & set(made) for kind in KINDS_OF_CHARACTERS):
            return made
