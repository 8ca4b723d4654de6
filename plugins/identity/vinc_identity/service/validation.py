"""Check what an operator writes; each function raises Refused with what to write instead."""

import re
import secrets
import string
from datetime import UTC, date, datetime
from uuid import UUID

from email_validator import EmailNotValidError, validate_email

from ..errors import Refused

MAX_EMAIL = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
MAX_NAME = 200
CHARACTER_KINDS = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "-._")
MIN_PASSWORD, GENERATED_PASSWORD = 12, 20
is_account_name = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?").fullmatch


def check_email(text: str) -> str:
    """Return an e-mail address in lower case, as principals are looked up."""
    try:
        email = validate_email(text[: MAX_EMAIL + 1], check_deliverability=False, strict=True)
    except EmailNotValidError:  # its message may quote the address
        raise Refused("this is not an e-mail address: write it like somebody@example.com") from None
    return f"{email.local_part}@{email.ascii_domain}".lower()


def check_name(text: str) -> str:
    name = text.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise Refused(f"the name must be one line of 1 to {MAX_NAME} characters")
    return name


def check_account_name(text: str) -> str:
    """Return the name of a service account, which must not look like an id."""
    if not is_account_name(text) or parse_id(text) is not None:
        rule = "1 to 63 lower-case letters, digits and hyphens, and not an id"
        raise Refused(f"a service account has a name like billing-export: {rule}")
    return text


def parse_id(text: str) -> UUID | None:
    """Return an id; None for a name or an address."""
    try:
        return UUID(text)
    except ValueError:
        return None


def check_expiry(day: date, now: datetime) -> datetime:
    """Return when an account expires: as that day begins, in UTC."""
    expires_at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if expires_at <= now:
        raise Refused("the account would have expired already: give --expires a later day, like 2031-12-31")
    return expires_at


def check_password(value: str | bool) -> str:  # noqa: FBT001  what `--temp-password [VALUE]` gives
    """Return the password, or a generated one for True; empty for False."""
    if value is False:
        return ""
    if value is True:
        return generate_password()
    if len(value.strip()) < MIN_PASSWORD:
        rule = f"the password needs {MIN_PASSWORD} characters"
        raise Refused(f"{rule}: write a longer one, or --temp-password alone to generate one")
    return value


def generate_password() -> str:
    """Return a random password with every kind of character that a provider may require."""
    characters = "".join(CHARACTER_KINDS)
    while True:
        password = "".join(secrets.choice(characters) for _ in range(GENERATED_PASSWORD))
        if all(set(kind) & set(password) for kind in CHARACTER_KINDS):
            return password
