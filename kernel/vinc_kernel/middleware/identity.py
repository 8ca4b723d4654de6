"""Identify the caller: a bearer token is verified once and cached; the principal is resolved with each request."""

from __future__ import annotations

import logging
from collections import OrderedDict
from hashlib import sha256
from time import time

from ..clock import Clock
from ..context import Context, Principal, PrincipalDirectory
from ..errors import Unauthorized
from ..permissions import RolePermissions
from ..tokens.claims import Claims, TokenRefused
from ..tokens.trusted import Trusted
from ..tokens.verify import Proof, verify

logger = logging.getLogger("vinc.identity")
MOST_CACHED = 10_000
INVALID = {"WWW-Authenticate": 'Bearer error="invalid_token"'}  # RFC 6750, 3.1


class Identity:
    """The step that sets the principal; verified tokens are cached by their hash, so that memory holds no token."""

    def __init__(
        self, trusted: Trusted, permissions: RolePermissions, clock: Clock = time, size: int = MOST_CACHED
    ) -> None:
        self.trusted, self.permissions, self.clock, self.size = trusted, permissions, clock, size
        self.cached: OrderedDict[bytes, tuple[Principal, Proof]] = OrderedDict()

    async def __call__(self, context: Context, directory: PrincipalDirectory | None) -> None:
        """Raise Unauthorized for invalid credentials, and Unavailable where they cannot be verified."""
        header = context.request_headers.get(b"authorization")
        if header is None:
            return
        principal = self.cached_principal(sha256(header).digest())
        if principal is None:
            scheme, _, token = header.partition(b" ")  # RFC 6750, 2.1
            if scheme.lower() != b"bearer":  # another scheme is for a public route to read
                return
            principal = await self.authenticate(token.lstrip(b" "))
        if directory is not None:
            resolved = await directory.resolve(principal)
        else:  # without a directory no service account is registered
            resolved = principal if principal.kind == "person" else None
        if resolved is None:
            raise refused("the principal is disabled or not registered")
        context.principal = resolved

    def cached_principal(self, digest: bytes) -> Principal | None:
        """Return the principal of the credentials with this hash, if they are cached and still valid."""
        found = self.cached.get(digest)
        if found is None:
            return None
        principal, proof = found
        if not proof.is_valid(self.clock()):
            del self.cached[digest]
            return None
        self.cached.move_to_end(digest)
        return principal

    async def authenticate(self, token: bytes) -> Principal:
        """Return the principal of a token; raises Unauthorized, and Unavailable."""
        digest = sha256(b"Bearer " + token).digest()  # cached once, however the header was written
        if (principal := self.cached_principal(digest)) is not None:
            return principal
        try:
            claims, proof = await verify(token, self.trusted.keys.get, self.clock())
        except TokenRefused as error:
            raise refused(str(error)) from None
        principal = self.to_principal(claims)
        self.cached[digest] = principal, proof
        if len(self.cached) > self.size:
            self.cached.popitem(last=False)
        return principal

    def to_principal(self, claims: Claims) -> Principal:
        """Take a single `role` as it is; of several, and of the realm's roles, the known one with the highest rank."""
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
    """Return the same error for every reason; only the log has the reason."""
    logger.info("credentials are refused: %s", why)
    return Unauthorized("These credentials are not valid.", headers=INVALID)
