"""Take over a well-formed X-Request-ID, else make one."""

from __future__ import annotations

import re
from secrets import token_hex

from ..context import Context

well_formed = re.compile(rb"[A-Za-z0-9._-]{1,64}").fullmatch  # `$` would let a newline through


def request_id(context: Context) -> None:
    given = context.header(b"x-request-id")
    context.request_id = given.decode() if given and well_formed(given) else token_hex(16)
    context.response_headers.append((b"x-request-id", context.request_id.encode()))
