"""Whose tokens are believed, and how a person gets one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Fetch = Callable[[], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """How Swagger UI signs somebody in: by their password, or by an authorization code with PKCE (RFC 7636).

    `authorization_url` is for the latter alone. Both addresses may begin with a slash: they are this service's then.
    """

    flow: Literal["password", "code"]
    token_url: str
    authorization_url: str = ""
    client_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Somebody whose access tokens are believed, when they are meant for `audience`.

    `url` is the token's `iss`, to the letter. `algorithms` are those of JWS (RFC 7518, 3.1) that its keys may be used
    with. `clients` narrows whose tokens these may be (`azp`); without any it is every client's. Keys come from `keys`,
    which gives a JWK set (RFC 7517, 5), or else from `jwks_url`, or else from where the issuer's own OpenID Connect
    discovery document says.
    """

    url: str
    audience: str
    algorithms: tuple[str, ...] = ("RS256",)
    clients: frozenset[str] = frozenset()
    jwks_url: str = ""
    keys: Fetch | None = None
    sign_in: SignIn | None = None
