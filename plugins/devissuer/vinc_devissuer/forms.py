"""Read a form's body, and a client's credentials: bounded, strictly UTF-8, and nothing twice.

The usual parsers take bodies of any size, write U+FFFD in the place of what is no UTF-8, and of a doubled name the last
one wins (RFC 6749, 3.2: no parameter more than once).
"""

import re
from base64 import b64decode
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request

from .errors import FormRefused

LARGEST, MOST_FIELDS = 8192, 20  # bytes, fields
FORM = r'application/x-www-form-urlencoded[ \t]*(;[ \t]*charset="?utf-8"?[ \t]*)?'
form_type = re.compile(FORM, re.IGNORECASE).fullmatch


async def fields(request: Request) -> dict[str, str]:
    """The fields of the form, those without a value left out (RFC 6749, 3.2); raises FormRefused."""
    if not form_type(request.headers.get("content-type", "")):
        raise FormRefused("send a form, and say so: Content-Type: application/x-www-form-urlencoded")
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > LARGEST:
            raise FormRefused(f"the body is longer than {LARGEST} bytes")
    pairs = parsed(bytes(content))
    given = dict(pairs)
    if len(given) < len(pairs):
        raise FormRefused("a parameter is given more than once")
    return filled(given)


def parsed(content: bytes) -> list[tuple[str, str]]:
    try:
        text = content.decode()
        found = parse_qsl(
            text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:  # a UnicodeDecodeError is one as well; the texts of both quote what was sent
        raise FormRefused(f"the body is no form in UTF-8 with at most {MOST_FIELDS} fields") from None
    return found


async def fields_with_client(request: Request) -> dict[str, str]:
    """The fields of the form, with the client's credentials wherever they stand; raises FormRefused."""
    given, from_header = await fields(request), client(request)
    if from_header.keys() & given.keys():  # RFC 6749, 2.3: one way to authenticate
        raise FormRefused("the client's credentials are given twice: in Authorization, and in the body")
    return given | from_header


def client(request: Request) -> dict[str, str]:
    """`client_id` and `client_secret` as the header Authorization has them (RFC 6749, 2.3.1); raises FormRefused.

    Empty without the header, and for an access token in it, which says nothing about the client.
    """
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        name, colon, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
        given = {
            "client_id": unquote_plus(name, errors="strict"),
            "client_secret": unquote_plus(secret, errors="strict"),
        }
    except ValueError:
        colon, given = "", {}
    if not colon:
        raise FormRefused("the credentials in Authorization are no user and password of RFC 7617 in UTF-8")
    return filled(given)


def filled(given: dict[str, str]) -> dict[str, str]:
    """What has a value; raises FormRefused for what PostgreSQL could not keep."""
    if "\0" in "".join([*given, *given.values()]):
        raise FormRefused("a parameter holds the character NUL")
    return {name: value for name, value in given.items() if value}
