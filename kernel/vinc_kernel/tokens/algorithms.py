"""Which algorithms may be allowed, and the type of key that each one takes (RFC 7518, 3.1; RFC 8037, 3.1)."""

from __future__ import annotations

from collections.abc import Iterable

TYPES = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "Ed25519": "OKP",
}
SHARED = "HS256"  # with a secret that the verifier has as well: for tests alone


def allowed(algorithms: Iterable[str], key_type: str, meant_for: str | None) -> frozenset[str]:
    """Those of the algorithms that a key may be used with; a key may be meant for one of them (RFC 7517, 4.4)."""
    types = TYPES | {SHARED: "oct"}
    return frozenset(one for one in algorithms if types.get(one) == key_type and meant_for in (None, one))
