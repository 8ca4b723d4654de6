"""Read the claims of an access token strictly, and only those that are needed (RFC 7519, 4; RFC 9068, 2.2).

Names and forms are Keycloak's: `azp` is the client, and an attribute is a list, a single value or absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

LONGEST_SUBJECT = 255  # RFC 7519 sets none; OpenID Connect Core, 2, says 255
LONGEST_EMAIL = 320
MOST_ELEMENTS = 1000
LATEST = 2**53  # a double counts no further
SERVICE = "service-account-"  # how Keycloak names the user of a client that acts for itself
Json = Mapping[str, Any]
element = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}").fullmatch


class TokenRefused(Exception):
    """The token is not valid. The text is for the log alone, and holds nothing of the token but names of claims."""


@dataclass(slots=True, kw_only=True)
class Claims:
    """The claims of a verified token. `roles` are those of the claim `role`, or else those of Keycloak's realm."""

    issuer: str
    subject: str
    expires: int
    client: str
    email: str
    roles: tuple[str, ...]
    is_realms: bool
    tenants: frozenset[str]
    is_service: bool
    all: Json


def read(claims: Json) -> Claims:
    """Return the claims; raises TokenRefused for one that is malformed."""
    subject, client = text(claims, "sub", LONGEST_SUBJECT), optional_text(claims, "azp")
    if not subject:
        raise TokenRefused("sub is empty")
    is_realms = claims.get("role") is None
    return Claims(
        issuer=text(claims, "iss", 1000),
        subject=subject,
        expires=moment(claims, "exp"),
        client=client,
        email=optional_text(claims, "email", LONGEST_EMAIL),
        roles=roles(section(claims, "realm_access"), "roles") if is_realms else roles(claims, "role"),
        is_realms=is_realms,
        tenants=elements(claims, "allowed_wholesalers"),
        is_service=is_service(claims),
        all=MappingProxyType(dict(claims)),
    )


def is_service(claims: Json) -> bool:
    """Return whether a client signed in as itself: it is named in the place of a person's session (RFC 9068, 2.2).

    Keycloak also names its user after it, in lower case; a person with such a name counts as a client too.
    """
    if claims.get("client_id") is not None and (claims.get("sid") is None or claims["client_id"] == claims.get("sub")):
        return True
    name = claims.get("preferred_username")
    return isinstance(name, str) and name.lower().startswith(SERVICE)


def text(claims: Json, name: str, longest: int) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise TokenRefused(f"{name} is missing, no text, not printable, or too long")
    return value


def optional_text(claims: Json, name: str, longest: int = LONGEST_SUBJECT) -> str:
    return "" if claims.get(name) is None else text(claims, name, longest)


def moment(claims: Json, name: str) -> int:
    """Return a NumericDate in whole seconds (RFC 7519, 2)."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LATEST:
        raise TokenRefused(f"{name} is missing, or no time")
    return int(value)


def section(claims: Json, name: str) -> Json:
    value = claims.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TokenRefused(f"{name} is no object")
    return value


def roles(claims: Json, name: str) -> tuple[str, ...]:
    value = claims.get(name)
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or len(value) > MOST_ELEMENTS or not all(isinstance(one, str) for one in value):
        raise TokenRefused(f"{name} is no list of texts")
    return tuple(value)


def elements(claims: Json, name: str) -> frozenset[str]:
    """Return ids: a list of texts, or one text with commas. An element of a list is never split (threats T15)."""
    value = claims.get(name)
    if value is None:
        return frozenset()
    if isinstance(value, str):
        value = [part for part in map(str.strip, value.split(",")) if part]
    if not isinstance(value, list) or len(value) > MOST_ELEMENTS:
        raise TokenRefused(f"{name} is no list of texts")
    if not all(isinstance(one, str) and element(one) for one in value):
        raise TokenRefused(f"{name} has an element that is no id")
    return frozenset(value)
