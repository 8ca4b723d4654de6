"""The algorithms that an issuer may use, and the type of key of each (RFC 7518, 3.1; RFC 8037, 3.1)."""

from __future__ import annotations

from collections.abc import Iterable

TYPES = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "Ed25519": "OKP",
}
SHARED = "HS256"  # with a secret that the verifier has too: for tests alone


def allowed(algorithms: Iterable[str], key_type: str, alg: str | None) -> frozenset[str]:
    """Return the algorithms that a key may be used with; its `alg` may allow only one (RFC 7517, 4.4)."""
    types = TYPES | {SHARED: "oct"}
    return frozenset(one for one in algorithms if types.get(one) == key_type and alg in (None, one))
