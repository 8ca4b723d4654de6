"""Find out who asks. One replaceable step: `identify(context)`."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from ..context import Context, Principal, PrincipalDirectory
from ..errors import Unauthorized
from ..guards import CHALLENGE

Identify = Callable[[Context], Awaitable[Principal | None]]
# `Dev <subject>;<role>;<tenant>,<tenant>`
dev_credentials = re.compile(
    r"Dev ([!-:<-~]{1,255});([a-z_]{1,64});((?:[a-z0-9-]{1,64}(?:,[a-z0-9-]{1,64})*)?)"
).fullmatch


async def identify_by_dev_header(context: Context) -> Principal | None:
    """For `dev` and `test`: believe what the caller says of itself. Never in production."""
    given = context.header(b"authorization")
    if given is None:
        return None
    matched = dev_credentials(given.decode("latin-1"))
    if matched is None:
        message = "Write the credentials as: Dev <subject>;<role>;<tenant>,<tenant>"
        raise Unauthorized(message, headers=CHALLENGE)
    subject, role, tenants = matched.groups()
    return Principal(subject=subject, role=role, tenants=frozenset(filter(None, tenants.split(","))))


async def identify_nobody(context: Context) -> Principal | None:
    """For `prod` until there is an issuer to trust: nobody is anybody, and credentials are refused."""
    if context.header(b"authorization") is not None:
        raise Unauthorized("These credentials are not valid here.", headers=CHALLENGE)
    return None


async def identity(context: Context, identify: Identify, directory: PrincipalDirectory | None) -> None:
    """Put the principal into the context; raise Unauthorized for credentials that are no good."""
    principal = await identify(context)
    if principal is not None and directory is not None:
        principal = await directory.recognise(principal)
        if principal is None:
            raise Unauthorized("These credentials are not valid any more.", headers=CHALLENGE)
    context.principal = principal
