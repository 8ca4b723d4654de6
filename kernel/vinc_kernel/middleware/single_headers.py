"""Refuse the headers that decide who asks for whom when they are doubled, oversized or have a twin.

Of two equal headers one server takes the first and another the last; `X_Tenant_ID` is a header of its own to us and
the same one to others (CGI turns both into HTTP_X_TENANT_ID).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..context import Context
from ..errors import BadRequest, Fault

LONGEST_TENANT = 64


def single_headers(tenant_header: str) -> Callable[[Context, Iterable[tuple[bytes, bytes]]], None]:
    """The step for this name of the tenant header; raises BadRequest and leaves the values unread."""
    tenant = tenant_header.lower().encode()
    deciding = (tenant, b"authorization")
    names = (tenant, b"authorization", b"x-request-id", b"content-type")

    def step(context: Context, headers: Iterable[tuple[bytes, bytes]]) -> None:
        found = context.request_headers
        listed = list(headers)
        if len(found) != len(listed):
            for name in names:
                if sum(key == name for key, _ in listed) > 1:
                    raise refused(name, "doubled", "is given more than once")
        for name in found:
            if b"_" in name and name.replace(b"_", b"-") in deciding:
                raise refused(name, "misspelt", "is written with an underscore")
        given = found.get(tenant)
        if given is not None and (len(given) > LONGEST_TENANT or not given.isascii()):
            raise refused(tenant, "malformed", "is neither the id nor the slug of a tenant")

    return step


def refused(name: bytes, code: str, message: str) -> BadRequest:
    text = name.decode("latin-1")
    fault = Fault(place="header", pointer=f"/{text}", code=code, message=message)
    return BadRequest(f"The header {text} {message}.", errors=[fault])
