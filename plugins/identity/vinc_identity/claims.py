"""Read the claims of a token that belong to this plugin; each has the form in which Keycloak writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GENERATION = "vinc_generation"
MOST_DIGITS = 9


def generation_in(claims: Mapping[str, Any]) -> int | None:
    """Return how many endings of sessions the token knows of, 0 without the claim; None where it is no number."""
    value = claims.get(GENERATION)
    if value is None:
        return 0
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > MOST_DIGITS:
        return None
    return int(text)


def ids_in(claims: Mapping[str, Any], name: str) -> list[str]:
    """Return the ids in a claim, sorted: a list of texts, or one text with commas; what is neither has none."""
    value = claims.get(name)
    if isinstance(value, str):
        value = value.split(",")
    elements = value if isinstance(value, list) else []
    return sorted({element.strip() for element in elements if isinstance(element, str) and element.strip()})
