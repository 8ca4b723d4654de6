"""Access tokens of the issuer of tests, which VINC_ENV=test believes: real ones, signed with VINC_JWT_TEST_SECRET."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from time import time
from typing import Any, Protocol
from uuid import uuid4

from httpx import Auth, Request, Response
from joserfc import jwt
from joserfc.jwk import OctKey

from vinc_kernel.tokens.issuer import SHARED
from vinc_kernel.tokens.trusted import TEST_KID, TEST_URL

from .servers import TOKEN_SECRET

AUDIENCE = "vinc-api"  # the default of VINC_JWT_AUDIENCE
SECONDS_TO_LIVE = 3600
Json = dict[str, Any]


class MakeToken(Protocol):
    """`vinc_token("alice", "viewer", ["acme"])`: an access token; more claims by name, None leaves one out."""

    def __call__(
        self, subject: str = "tester", role: str = "", tenants: Collection[str] = (), **claims: Any
    ) -> str: ...


def token(subject: str = "tester", role: str = "", tenants: Collection[str] = (), **claims: Any) -> str:
    """An access token for these; `claims` are added, or take the place of what would be there; None leaves one out."""
    return signed(
        {
            "sub": subject,
            **({"role": role} if role else {}),
            "allowed_wholesalers": sorted(tenants),
            **claims,
        }
    )


def signed(claims: Json, secret: str = TOKEN_SECRET, clock: Callable[[], float] = time) -> str:
    """Return a token of the issuer of tests with these claims, and what every access token has."""
    now = int(clock())
    usual = {
        "iss": TEST_URL,
        "aud": AUDIENCE,
        "typ": "Bearer",
        "azp": "tests",
        "iat": now,
        "exp": now + SECONDS_TO_LIVE,
        "jti": str(uuid4()),
    }
    given = {name: value for name, value in (usual | claims).items() if value is not None}
    return jwt.encode({"alg": SHARED, "kid": TEST_KID, "typ": "JWT"}, given, OctKey.import_key(secret))


def bearer(subject: str = "tester", role: str = "", tenants: Collection[str] = (), **claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(subject, role, tenants, **claims)}"}


class TokenAuth(Auth):
    """Sends an access token with each request, a new one when the clock says that the last one expires."""

    def __init__(self, subject: str, role: str, tenant: str, clock: Callable[[], float]) -> None:
        self.claims = {"sub": subject, "role": role or None, "allowed_wholesalers": [tenant] if tenant else []}
        self.clock, self.token, self.renew_at = clock, "", float("-inf")

    def auth_flow(self, request: Request) -> Generator[Request, Response, None]:
        if self.clock() >= self.renew_at:
            self.token = signed(self.claims, clock=self.clock)
            self.renew_at = self.clock() + SECONDS_TO_LIVE / 2
        request.headers["Authorization"] = f"Bearer {self.token}"
        yield request
