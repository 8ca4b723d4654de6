"""Refuse the headers that select caller and tenant when they are doubled, oversized or spelt with an underscore.

Of two equal headers one server reads the first and another the last; CGI turns `X-Tenant-ID` and `X_Tenant_ID` both
into HTTP_X_TENANT_ID.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..context import Context
from ..errors import BadRequest, Fault

LONGEST_TENANT = 64


def single_headers(context: Context, headers: Iterable[tuple[bytes, bytes]], tenant: bytes) -> None:
    """Raise BadRequest for one of these; `tenant` is the name of the tenant header, in lower case."""
    sent, pairs = context.request_headers, list(headers)
    if len(sent) != len(pairs):
        for name in (tenant, b"authorization", b"x-request-id", b"content-type"):
            if sum(key == name for key, _ in pairs) > 1:
                raise refused(name, "doubled", "is given more than once")
    for name in sent:
        if b"_" in name and name.replace(b"_", b"-") in {tenant, b"authorization"}:
            raise refused(name, "misspelt", "is written with an underscore")
    value = sent.get(tenant, b"")
    if len(value) > LONGEST_TENANT or not value.isascii():
        raise refused(tenant, "malformed", "is neither the id nor the slug of a tenant")


def refused(name: bytes, code: str, message: str) -> BadRequest:
    text = name.decode("latin-1")
    fault = Fault(place="header", pointer=f"/{text}", code=code, message=message)
    return BadRequest(f"The header {text} {message}.", errors=[fault])
