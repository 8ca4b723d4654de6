"""Find out who asks: a bearer token is verified once and remembered, and with each request it is asked who that is."""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256

from ..context import Context, Principal, PrincipalDirectory
from ..errors import Unauthorized
from ..guards import Rights
from ..tokens.claims import Claims
from ..tokens.refused import TokenRefused
from ..tokens.trusted import Trusted
from ..tokens.verify import Verified, verify

logger = logging.getLogger("vinc.identity")
MOST_REMEMBERED = 10_000
INVALID = {"WWW-Authenticate": 'Bearer error="invalid_token"'}  # RFC 6750, 3.1
is_bearer = re.compile(rb"Bearer(?: |$)", re.IGNORECASE).match
bearer = re.compile(rb"Bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE).fullmatch  # RFC 6750, 2.1


@dataclass(frozen=True, slots=True)
class Remembered:
    """A token that was verified, and whose it is."""

    verified: Verified
    principal: Principal


class Identity:
    """The step that puts the principal into the context.

    Tokens are remembered by their hash alone, so that nothing which could be read out of memory is a token.
    """

    def __init__(self, trusted: Trusted, rights: Rights, size: int = MOST_REMEMBERED) -> None:
        self.trusted, self.rights, self.size = trusted, rights, size
        self.remembered: OrderedDict[bytes, Remembered] = OrderedDict()

    async def __call__(self, context: Context, directory: PrincipalDirectory | None) -> None:
        """Raises Unauthorized for credentials that are no good, and Unavailable where that cannot be found out."""
        given = context.found.get(b"authorization")
        if given is None or not is_bearer(given):  # other schemes are a public route's own business: a token endpoint's
            return
        try:
            principal = await self.principal(given)
            context.principal = await recognised(principal, directory)
        except TokenRefused as refusal:
            logger.info("credentials are refused: %s", refusal)
            raise Unauthorized("These credentials are not valid.", headers=INVALID) from None

    async def principal(self, given: bytes) -> Principal:
        """Whose credentials these are; raises TokenRefused."""
        matched = bearer(given)
        if matched is None:
            raise TokenRefused("it is not written as a token is")
        token = matched[1]
        digest = sha256(token).digest()
        found = self.remembered.get(digest)
        if found is not None and found.verified.still_holds():
            self.remembered.move_to_end(digest)
            return found.principal
        self.remembered.pop(digest, None)
        verified = await verify(token, self.trusted.find)
        principal = self.principal_of(verified.claims)
        self.remembered[digest] = Remembered(verified, principal)
        if len(self.remembered) > self.size:
            self.remembered.popitem(last=False)
        return principal

    def principal_of(self, claims: Claims) -> Principal:
        """The claim `role` counts, known or not; of several, and of the realm's, the known one that ranks highest."""
        role = self.rights.highest(claims.realm_roles if claims.role is None else claims.role)
        if claims.role is not None and len(claims.role) == 1:
            role = self.rights.named(claims.role[0])
        return Principal(
            subject=claims.subject,
            role=role,
            tenants=claims.tenants,
            issuer=claims.issuer,
            email=claims.email,
            kind="service" if claims.is_service else "person",
            customers=claims.customers,
            addresses=claims.addresses,
            multi_tenant=claims.multi_tenant,
            generation=claims.generation,
            expires=claims.expires,
        )


async def recognised(principal: Principal, directory: PrincipalDirectory | None) -> Principal:
    """The principal as the directory knows it; raises TokenRefused for one that may not come in."""
    found = principal if principal.kind == "person" else None
    if directory is not None:
        found = await directory.recognise(principal)
    if found is None:
        raise TokenRefused("whose they are may not come in")
    return found
