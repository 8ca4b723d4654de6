"""Read a form and a client's credentials: of limited size, strictly UTF-8, and without repeated names.

The usual parsers accept bodies of any size, replace invalid UTF-8 by U+FFFD, and take the last of repeated names
(RFC 6749, 3.2: no parameter more than once).
"""

import re
from base64 import b64decode
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request

from .errors import FormRefused

MAX_BYTES, MAX_FIELDS = 8192, 20
FORM = r'application/x-www-form-urlencoded[ \t]*(;[ \t]*charset="?utf-8"?[ \t]*)?'
is_form_type = re.compile(FORM, re.IGNORECASE).fullmatch


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of the form, without empty ones (RFC 6749, 3.2); raises FormRefused."""
    if not is_form_type(request.headers.get("content-type", "")):
        raise FormRefused("send a form, and say so: Content-Type: application/x-www-form-urlencoded")
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BYTES:
            raise FormRefused(f"the body is longer than {MAX_BYTES} bytes")
    pairs = parse(bytes(content))
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise FormRefused("a parameter is given more than once")
    return drop_empty(fields)


def parse(content: bytes) -> list[tuple[str, str]]:
    try:
        text = content.decode()
        return parse_qsl(
            text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError:  # or a UnicodeDecodeError; both messages quote the body
        raise FormRefused(f"the body is not a form in UTF-8 with at most {MAX_FIELDS} fields") from None


async def read_form_with_client(request: Request) -> dict[str, str]:
    """Return the fields of the form, and the client's credentials from the header; raises FormRefused."""
    fields, from_header = await read_form(request), read_client(request)
    if from_header.keys() & fields.keys():  # RFC 6749, 2.3: one way to authenticate
        raise FormRefused("the client's credentials are given twice: in Authorization, and in the body")
    return fields | from_header


def read_client(request: Request) -> dict[str, str]:
    """Return `client_id` and `client_secret` of the header Authorization (RFC 6749, 2.3.1); raises FormRefused.

    Empty without the header, and for a bearer token in it.
    """
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        name, colon, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
        credentials = {
            "client_id": unquote_plus(name, errors="strict"),
            "client_secret": unquote_plus(secret, errors="strict"),
        }
    except ValueError:
        colon, credentials = "", {}
    if not colon:
        raise FormRefused("the credentials in Authorization are not user and password of RFC 7617 in UTF-8")
    return drop_empty(credentials)


def drop_empty(fields: dict[str, str]) -> dict[str, str]:
    """Return the fields with a value; raises FormRefused for NUL, which PostgreSQL cannot store."""
    if "\0" in "".join([*fields, *fields.values()]):
        raise FormRefused("a parameter holds the character NUL")
    return {name: value for name, value in fields.items() if value}
