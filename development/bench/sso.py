"""The issuer of the tokens that are measured: RS256, and as long as Keycloak's."""

import json
import time
from functools import cache

from joserfc import jwt
from joserfc.jwk import RSAKey

URL, AUDIENCE, KID = "https://sso.example/realms/vinc", "vinc-api", "bench"
TENANT = "11111111-2222-4333-8444-555555555555"
SECONDS_TO_LIVE = 24 * 3600


@cache
def key() -> RSAKey:
    """One key a run; whoever verifies is told of it by BENCH_JWKS."""
    return RSAKey.generate_key(2048, parameters={"kid": KID})


def jwks() -> str:
    """Its public part, as a JWK set."""
    return json.dumps({"keys": [{**key().as_dict(private=False), "use": "sig", "alg": "RS256"}]})


def token(subject: str = "b7f7c7e2-8b43-4d4e-9c1f-9be0c3f3b1aa") -> str:
    """An access token of somebody who is a viewer in the one tenant."""
    now = int(time.time())
    claims = {
        "iss": URL,
        "sub": subject,
        "aud": [AUDIENCE, "account"],
        "azp": "vinc-web",
        "typ": "Bearer",
        "iat": now,
        "exp": now + SECONDS_TO_LIVE,
        "jti": "onrtac:5d3a0f0e-54c7-4f0b-9c6a-0a8f4f8f6c11",
        "sid": "0f6f1d5e-7f4b-4a43-a7a0-64b0a7d0a8f2",
        "scope": "openid email profile",
        "email": "alice@acme.example",
        "email_verified": True,
        "preferred_username": "alice@acme.example",
        "name": "Alice Example",
        "role": "viewer",
        "allowed_wholesalers": [TENANT],
        "realm_access": {"roles": ["default-roles-vinc", "offline_access", "uma_authorization", "viewer"]},
        "resource_access": {"account": {"roles": ["manage-account", "manage-account-links", "view-profile"]}},
    }
    return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": KID}, claims, key())


@cache
def signed_in() -> dict[str, str]:
    return {"Authorization": f"Bearer {token()}", "X-Tenant-ID": TENANT}
