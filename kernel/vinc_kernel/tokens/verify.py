"""Verify an access token: RFC 8725 and RFC 9068, as far as Keycloak's tokens allow; the cryptography is joserfc's.

Nothing in a token chooses how it is verified: its `iss` selects a trusted issuer, whose keys and algorithms decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from ..strict_json import parse_json
from .claims import Claims, TokenRefused, moment, read
from .issuer import Issuer
from .keys import Keys

LONGEST_TOKEN = 8192  # bytes
DEEPEST = 5  # levels of the claims
LEEWAY = 30  # seconds that two clocks may differ
TYPES = frozenset({"JWT", "AT+JWT", "APPLICATION/AT+JWT"})  # RFC 9068, 2.1; Keycloak writes the first
# They choose how to verify, or the key; no valid token needs one (RFC 8725, 3.10).
REFUSED = frozenset({"crit", "b64", "zip", "enc", "jwk", "jku", "x5u", "x5c"})
Find = Callable[[str], Keys | None]


@dataclass(slots=True)
class Proof:
    """How long a token stays valid: until it expires, or its issuer drops a key."""

    until: int
    keys: Keys
    edition: int

    def is_valid(self, now: float) -> bool:
        return now < self.until and self.keys.edition == self.edition


async def verify(token: bytes, find: Find, now: float) -> tuple[Claims, Proof]:
    """Return the claims of an access token, and its proof.

    `find` returns the keys of a trusted issuer, by its `iss`; `now` is in seconds since 1970. Raises TokenRefused, and
    Unavailable where the key is unknown and the issuer cannot be reached.
    """
    signed = parse_token(token)
    header, given = header_of(signed), claims_of(signed)
    keys = find(given["iss"]) if isinstance(given.get("iss"), str) else None
    if keys is None:
        raise TokenRefused("iss is no trusted issuer")
    key = await keys.find(header["kid"])
    if key is None:
        raise TokenRefused("the issuer has no such key")
    edition = keys.edition
    if header["alg"] not in key.algorithms:
        raise TokenRefused("the algorithm is not allowed for this key")
    try:
        is_valid = jws.validate_compact(signed, key.key, registry=key.registry)
    except (JoseError, ValueError, TypeError):
        is_valid = False
    if not is_valid:
        raise TokenRefused("the signature is not valid")
    claims = read(given)
    check_purpose(given, keys.issuer, claims)
    check_time(given, claims.expires, now)
    return claims, Proof(claims.expires + LEEWAY, keys, edition)


def parse_token(token: bytes) -> jws.CompactSignature:
    if len(token) > LONGEST_TOKEN:
        raise TokenRefused("it is too long")
    try:
        return jws.extract_compact(token)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise TokenRefused("it is no JWS in three parts") from None


def header_of(signed: jws.CompactSignature) -> Mapping[str, Any]:
    header = signed.headers()
    if not isinstance(header.get("alg"), str) or not isinstance(header.get("kid"), str):
        raise TokenRefused("the header names no algorithm, or no key")
    if not REFUSED.isdisjoint(header):
        raise TokenRefused("the header has a member that is not taken")
    if str(header.get("typ", "JWT")).upper() not in TYPES:
        raise TokenRefused("the header's typ is another one")
    return header


def claims_of(signed: jws.CompactSignature) -> Mapping[str, Any]:
    try:
        given = parse_json(signed.payload, DEEPEST)
    except JSONDecodeError:
        raise TokenRefused("the claims are no strict JSON") from None
    if not isinstance(given, dict):
        raise TokenRefused("the claims are no object")
    return given


def check_purpose(given: Mapping[str, Any], issuer: Issuer, claims: Claims) -> None:
    if given.get("typ") != "Bearer":
        raise TokenRefused("it is no access token: typ is not Bearer")
    audience = given.get("aud")
    if audience != issuer.audience and not (isinstance(audience, list) and issuer.audience in audience):
        raise TokenRefused("aud does not name our audience")
    # A service account is a client of its own: the PrincipalDirectory knows whether it is registered.
    if issuer.clients and claims.client not in issuer.clients and not claims.is_service:
        raise TokenRefused("azp is not one of the clients")


def check_time(given: Mapping[str, Any], expires: int, now: float) -> None:
    if now >= expires + LEEWAY:
        raise TokenRefused("it has expired")
    if moment(given, "iat") > now + LEEWAY:
        raise TokenRefused("iat lies in the future")
    if given.get("nbf") is not None and moment(given, "nbf") > now + LEEWAY:
        raise TokenRefused("nbf lies in the future")
