"""What stands in the tokens: the claims that Keycloak would write, in the same form."""

from __future__ import annotations

from dataclasses import dataclass
from time import time
from typing import Any
from uuid import UUID, uuid4

from ..schemas import Account
from .issuer import CLIENT, DevIssuer

SCOPES = ("openid", "profile", "email")


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What a token is given for: to whom, for which scopes, in which session, if in any."""

    account: Account
    scope: str = ""
    session: UUID | None = None

    @property
    def client(self) -> str:
        return self.account.client_id or CLIENT


def scope_of(asked: str) -> str:
    """Those of the scopes that were asked for that there are here (RFC 6749, 3.3: others may be left out)."""
    words = asked.split(" ")
    return " ".join(one for one in SCOPES if one in words)


async def access_token(issuer: DevIssuer, granted: Granted) -> str:
    """A token to call the API with."""
    claims = common(issuer, granted, "Bearer") | person(granted.account) | rights(granted.account)
    return await issuer.keys.sign(claims | {"aud": [issuer.audience], "scope": granted.scope})


async def id_token(issuer: DevIssuer, granted: Granted) -> str:
    """A token that tells the client who signed in; it opens nothing (OpenID Connect Core 1.0, 2)."""
    return await issuer.keys.sign(common(issuer, granted, "ID") | person(granted.account) | {"aud": granted.client})


def common(issuer: DevIssuer, granted: Granted, kind: str) -> dict[str, Any]:
    now = int(time())
    session = {"sid": str(granted.session)} if granted.session else {}
    return {
        "iss": issuer.url,
        "sub": str(granted.account.id),
        "azp": granted.client,
        "typ": kind,
        "iat": now,
        "exp": now + int(issuer.token_life.total_seconds()),
        "jti": str(uuid4()),
        **session,
    }


def person(account: Account) -> dict[str, Any]:
    """Who it is. A service account is named as Keycloak names it: the kernel knows one by that."""
    if account.client_id is not None:
        name = f"service-account-{account.client_id}"
        return {"client_id": account.client_id, "preferred_username": name, "name": account.name}
    return {
        "email": account.email,
        "email_verified": True,
        "name": account.name,
        "preferred_username": account.email,
    }


def rights(account: Account) -> dict[str, Any]:
    """What they may do, as it is stored; what is empty is left out, as Keycloak does."""
    claims = {
        "role": account.role,
        "allowed_wholesalers": list(account.tenants),
        "allowed_customers": list(account.customers),
        "allowed_addresses": list(account.addresses),
        "multi_tenant": "true" if len(account.tenants) > 1 else "",
    }
    return {name: value for name, value in claims.items() if value} | {"vinc_generation": account.generation}
