"""Use a well-formed X-Request-ID, or create one."""

from __future__ import annotations

import re
from secrets import token_hex

from ..context import Context

well_formed = re.compile(rb"[A-Za-z0-9._-]{1,64}").fullmatch  # `$` would let a newline through


def request_id(context: Context) -> None:
    header = context.header(b"x-request-id")
    context.request_id = header.decode() if header and well_formed(header) else token_hex(16)
    context.response_headers.append((b"x-request-id", context.request_id.encode()))
