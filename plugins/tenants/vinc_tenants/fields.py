"""Types of a tenant's fields: stripped, never empty, with a longest length, and nothing that could hide in a line."""

import re
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, AnyUrl, Field, TypeAdapter, UrlConstraints, ValidationError

from vinc_kernel.rest import Text

from .slugs import LONGEST, SHORTEST, SLUG, allowed_slug

LONGEST_EMAIL = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
breaks_line = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]").search  # Unicode's Cc, Zl and Zp
https = TypeAdapter(Annotated[AnyUrl, UrlConstraints(allowed_schemes=["https"], host_required=True)])


def stripped(text: str) -> str:
    return text.strip()


def one_line(text: str) -> str:
    """Text for one line: what goes into a letter's head or a terminal must not start another one."""
    if breaks_line(text):
        message = "must be one line, without control characters"
        raise ValueError(message)
    return text


def lines(text: str) -> str:
    """Text of several lines, which end alike."""
    text = "\n".join(line.strip() for line in text.splitlines())
    for line in text.split("\n"):
        one_line(line)
    return text.strip()


def email(text: str) -> str:
    """An e-mail address as mail servers compare it: the domain in ASCII and small letters, the rest as it was given."""
    try:
        found = validate_email(text[: LONGEST_EMAIL + 1], check_deliverability=False, strict=True)
    except EmailNotValidError:  # its text may quote the address
        message = "must be an e-mail address"
        raise ValueError(message) from None
    return f"{found.local_part}@{found.ascii_domain}"


def https_address(text: str) -> str:
    """An address that a browser may load a picture from. With a password in it everybody would read that."""
    try:
        address = https.validate_python(text)
    except ValidationError:
        message = "must be an address that begins with https://"
        raise ValueError(message) from None
    if address.username is not None or address.password is not None:
        message = "must be an address without a user and a password"
        raise ValueError(message)
    return str(address)


Line = Annotated[Text, AfterValidator(stripped), AfterValidator(one_line)]
Slug = Annotated[
    Text,
    AfterValidator(allowed_slug),
    Field(min_length=SHORTEST, max_length=LONGEST, json_schema_extra={"pattern": SLUG}),
]
Name = Annotated[Line, Field(min_length=1, max_length=200)]
Number = Annotated[Line, Field(min_length=1, max_length=64)]
Address = Annotated[Text, AfterValidator(lines), Field(min_length=1, max_length=1000)]
Email = Annotated[
    Line, AfterValidator(email), Field(min_length=1, max_length=LONGEST_EMAIL, json_schema_extra={"format": "email"})
]
LogoUrl = Annotated[
    Line, AfterValidator(https_address), Field(min_length=1, max_length=2000, json_schema_extra={"format": "uri"})
]
