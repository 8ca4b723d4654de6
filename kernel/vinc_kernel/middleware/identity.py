"""Find out who asks: a bearer token is verified once and remembered, and with each request it is asked who that is."""

from __future__ import annotations

import logging
from collections import OrderedDict
from hashlib import sha256
from time import time

from ..clock import Clock
from ..context import Context, Principal, PrincipalDirectory
from ..errors import Unauthorized
from ..permissions import RolePermissions
from ..tokens.claims import Claims
from ..tokens.refused import TokenRefused
from ..tokens.trusted import Trusted
from ..tokens.verify import Proof, verify

logger = logging.getLogger("vinc.identity")
MOST_REMEMBERED = 10_000
INVALID = {"WWW-Authenticate": 'Bearer error="invalid_token"'}  # RFC 6750, 3.1


class Identity:
    """The step that puts the principal into the context.

    Credentials are remembered by their hash alone, so that nothing which could be read out of memory is a token.
    """

    def __init__(
        self, trusted: Trusted, permissions: RolePermissions, clock: Clock = time, size: int = MOST_REMEMBERED
    ) -> None:
        self.trusted, self.permissions, self.clock, self.size = trusted, permissions, clock, size
        self.remembered: OrderedDict[bytes, tuple[Principal, Proof]] = OrderedDict()

    async def __call__(self, context: Context, directory: PrincipalDirectory | None) -> None:
        """Raises Unauthorized for credentials that are no good, and Unavailable where that cannot be found out."""
        given = context.request_headers.get(b"authorization")
        if given is None:
            return
        principal = self.remembered_principal(sha256(given).digest())
        if principal is None:
            scheme, _, token = given.partition(b" ")  # RFC 6750, 2.1
            if scheme.lower() != b"bearer":  # another one is a public route's own business
                return
            principal = await self.presented(token.lstrip(b" "))
        if directory is not None:
            found = await directory.resolve(principal)
        else:  # nobody can say whether a service account is registered
            found = principal if principal.kind == "person" else None
        if found is None:
            raise refused("whose they are may not come in")
        context.principal = found

    def remembered_principal(self, digest: bytes) -> Principal | None:
        """Whose credentials have this hash, if they were verified before and still hold."""
        found = self.remembered.get(digest)
        if found is None:
            return None
        principal, proof = found
        if not proof.is_valid(self.clock()):
            del self.remembered[digest]
            return None
        self.remembered.move_to_end(digest)
        return principal

    async def presented(self, token: bytes) -> Principal:
        """Whose token this is; it is remembered once, as the header that is usual, however it was written."""
        digest = sha256(b"Bearer " + token).digest()
        return self.remembered_principal(digest) or await self.verified(token, digest)

    async def verified(self, token: bytes, digest: bytes) -> Principal:
        """Whose credentials these are; raises Unauthorized, and Unavailable."""
        try:
            claims, proof = await verify(token, self.trusted.find, self.clock())
        except TokenRefused as refusal:
            raise refused(str(refusal)) from None
        principal = self.principal_of(claims)
        self.remembered[digest] = principal, proof
        if len(self.remembered) > self.size:
            self.remembered.popitem(last=False)
        return principal

    def principal_of(self, claims: Claims) -> Principal:
        """The claim `role` counts, known or not; of several, and of the realm's, the known one that ranks highest."""
        is_one = not claims.is_realms and len(claims.roles) == 1
        role = self.permissions.canonical_name(claims.roles[0]) if is_one else self.permissions.highest(claims.roles)
        return Principal(
            subject=claims.subject,
            role=role,
            tenants=claims.tenants,
            issuer=claims.issuer,
            email=claims.email,
            kind="service" if claims.is_service else "person",
            claims=claims.all,
            expires=claims.expires,
        )


def refused(why: str) -> Unauthorized:
    """The same answer for every reason, which only the log tells."""
    logger.info("credentials are refused: %s", why)
    return Unauthorized("These credentials are not valid.", headers=INVALID)
