"""Read the claims of an access token: strictly, and no more of them than is needed (RFC 7519, 4; RFC 9068, 2.2).

Names and forms are Keycloak's: `typ` tells an access token from others, `azp` is the client, an attribute is a list, a
single value or absent, and a number or a truth may be written as a text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from .refused import TokenRefused

LONGEST_SUBJECT = 255  # RFC 7519 sets none; OpenID Connect Core, 2, says 255
LONGEST_EMAIL = 320
MOST_ELEMENTS = 1000
LATEST = 2**53  # a double counts no further
SERVICE = "service-account-"  # how Keycloak names the user of a client that acts for itself
Json = Mapping[str, Any]
element = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}").fullmatch


@dataclass(slots=True, kw_only=True)
class Claims:
    """What a verified token says. `roles` are those of the claim `role`, or else those of Keycloak's realm."""

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


def read(given: Json) -> Claims:
    """The claims; raises TokenRefused for one of another form than it must have."""
    subject, client = text(given, "sub", LONGEST_SUBJECT), optional_text(given, "azp")
    if not subject:
        raise TokenRefused("sub is empty")
    is_realms = given.get("role") is None
    return Claims(
        issuer=text(given, "iss", 1000),
        subject=subject,
        expires=moment(given, "exp"),
        client=client,
        email=optional_text(given, "email", LONGEST_EMAIL),
        roles=roles(section(given, "realm_access"), "roles") if is_realms else roles(given, "role"),
        is_realms=is_realms,
        tenants=elements(given, "allowed_wholesalers"),
        is_service=is_service(given),
        all=MappingProxyType(dict(given)),
    )


def is_service(given: Json) -> bool:
    """Whether a client has signed in as itself: it is named where a person's session would be (RFC 9068, 2.2).

    Keycloak calls its user after it besides, in small letters; a person who is called so is taken for one as well.
    """
    if given.get("client_id") is not None and (given.get("sid") is None or given["client_id"] == given.get("sub")):
        return True
    name = given.get("preferred_username")
    return isinstance(name, str) and name.lower().startswith(SERVICE)


def text(given: Json, name: str, longest: int) -> str:
    value = given.get(name)
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise TokenRefused(f"{name} is missing, no text, not printable, or too long")
    return value


def optional_text(given: Json, name: str, longest: int = LONGEST_SUBJECT) -> str:
    return "" if given.get(name) is None else text(given, name, longest)


def moment(given: Json, name: str) -> int:
    """A NumericDate in whole seconds (RFC 7519, 2)."""
    value = given.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LATEST:
        raise TokenRefused(f"{name} is missing, or no time")
    return int(value)


def section(given: Json, name: str) -> Json:
    value = given.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TokenRefused(f"{name} is no object")
    return value


def roles(given: Json, name: str) -> tuple[str, ...]:
    """Names of roles, whatever they are: who reads them knows some."""
    value = given.get(name)
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or len(value) > MOST_ELEMENTS or not all(isinstance(one, str) for one in value):
        raise TokenRefused(f"{name} is no list of texts")
    return tuple(value)


def elements(given: Json, name: str) -> frozenset[str]:
    """Ids: a list of texts, or one text with commas. An element of a list is never split (threats T15)."""
    value = given.get(name)
    if value is None:
        return frozenset()
    if isinstance(value, str):
        value = [part for part in map(str.strip, value.split(",")) if part]
    if not isinstance(value, list) or len(value) > MOST_ELEMENTS:
        raise TokenRefused(f"{name} is no list of texts")
    if not all(isinstance(one, str) and element(one) for one in value):
        raise TokenRefused(f"{name} has an element that is no id")
    return frozenset(value)
