"""Read the claims of a token that this plugin owns; each has the form in which Keycloak writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GENERATION = "vinc_generation"
MAX_DIGITS = 9


def read_generation(claims: Mapping[str, Any]) -> int | None:
    """Return the session generation of a token, 0 without the claim; None where the claim is not a number."""
    value = claims.get(GENERATION)
    if value is None:
        return 0
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > MAX_DIGITS:
        return None
    return int(text)


def read_ids(claims: Mapping[str, Any], name: str) -> list[str]:
    """Return the ids in a claim, sorted: a list of strings, or one string with commas; anything else has none."""
    value = claims.get(name)
    if isinstance(value, str):
        value = value.split(",")
    elements = value if isinstance(value, list) else []
    return sorted({element.strip() for element in elements if isinstance(element, str) and element.strip()})
