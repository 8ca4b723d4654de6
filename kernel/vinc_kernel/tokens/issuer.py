"""Issuers of access tokens, and how a person gets one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Fetch = Callable[[], Awaitable[Mapping[str, Any]]]
# The algorithms that an issuer may use, and the type of key of each (RFC 7518, 3.1; RFC 8037, 3.1).
KEY_TYPES = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "Ed25519": "OKP",
}
SHARED = "HS256"  # with a secret that the verifier has too: for tests alone


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """How Swagger UI signs somebody in: by their password, or by an authorization code with PKCE (RFC 7636).

    `authorization_url` is for the code alone. An address that begins with a slash is one of this service.
    """

    flow: Literal["password", "code"]
    token_url: str
    authorization_url: str = ""
    client_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """An issuer whose access tokens are accepted when they name `audience`.

    `url` is exactly the token's `iss`. `algorithms` are those of JWS (RFC 7518, 3.1) that its keys may be used with.
    `clients` narrows the client of the token (`azp`); empty for any. Keys come from `keys`, which returns a JWK set
    (RFC 7517, 5), else from `jwks_url`, else from the address in the issuer's OpenID Connect discovery document.
    """

    url: str
    audience: str
    algorithms: tuple[str, ...] = ("RS256",)
    clients: frozenset[str] = frozenset()
    jwks_url: str = ""
    keys: Fetch | None = None
    sign_in: SignIn | None = None
