"""Types of a tenant's fields: stripped, not empty, of limited length, and without control characters."""

import re
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, AnyUrl, Field, TypeAdapter, UrlConstraints, ValidationError
from pydantic_core import PydanticCustomError

from vinc_kernel.rest import Text

from .slugs import MAX_LENGTH, MIN_LENGTH, SLUG, allowed_slug

MAX_EMAIL = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
breaks_line = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]").search  # Unicode's Cc, Zl and Zp
https = TypeAdapter(Annotated[AnyUrl, UrlConstraints(allowed_schemes=["https"], host_required=True)])


def strip(text: str) -> str:
    return text.strip()


def check_one_line(text: str) -> str:
    """Return the text; raises ValueError for a line break, which could start another header of a mail."""
    if breaks_line(text):
        raise PydanticCustomError("one_line", "must be one line, without control characters")
    return text


def normalise_lines(text: str) -> str:
    """Return text of several lines, each stripped and ended by a newline."""
    text = "\n".join(line.strip() for line in text.splitlines())
    for line in text.split("\n"):
        check_one_line(line)
    return text.strip()


def check_email(text: str) -> str:
    """Return an e-mail address with its domain in lower case and ASCII; raises ValueError."""
    try:
        address = validate_email(text[: MAX_EMAIL + 1], check_deliverability=False, strict=True)
    except EmailNotValidError:  # its message may quote the address
        raise PydanticCustomError("email", "must be an e-mail address") from None
    return f"{address.local_part}@{address.ascii_domain}"


def check_https_url(text: str) -> str:
    """Return a URL that browsers load an image from; raises ValueError, also for one with a password in it."""
    try:
        address = https.validate_python(text)
    except ValidationError:
        raise PydanticCustomError("https", "must be an address that begins with https://") from None
    if address.username is not None or address.password is not None:
        raise PydanticCustomError("credentials", "must be an address without a user and a password")
    return str(address)


Line = Annotated[Text, AfterValidator(strip), AfterValidator(check_one_line)]
Slug = Annotated[
    Text,
    AfterValidator(allowed_slug),
    Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH, json_schema_extra={"pattern": SLUG}),
]
Name = Annotated[Line, Field(min_length=1, max_length=200)]
Number = Annotated[Line, Field(min_length=1, max_length=64)]
Address = Annotated[Text, AfterValidator(normalise_lines), Field(min_length=1, max_length=1000)]
Email = Annotated[
    Line, AfterValidator(check_email), Field(min_length=1, max_length=MAX_EMAIL, json_schema_extra={"format": "email"})
]
LogoUrl = Annotated[
    Line, AfterValidator(check_https_url), Field(min_length=1, max_length=2000, json_schema_extra={"format": "uri"})
]
