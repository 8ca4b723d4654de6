"""The tokens, with the same claims as Keycloak's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from ..schemas import Account
from .issuer import CLIENT, DevIssuer

SCOPES = ("openid", "profile", "email")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The account, scopes and session, if any, that a token is issued for."""

    account: Account
    scope: str = ""
    session: UUID | None = None

    @property
    def client(self) -> str:
        return self.account.client_id or CLIENT


def filter_scopes(requested: str) -> str:
    """Return the requested scopes that exist here (RFC 6749, 3.3: others may be ignored)."""
    scopes = requested.split(" ")
    return " ".join(one for one in SCOPES if one in scopes)


async def access_token(issuer: DevIssuer, grant: Grant) -> str:
    claims = (
        common_claims(issuer, grant, "Bearer") | identity_claims(grant.account) | authorization_claims(grant.account)
    )
    return await issuer.keys.sign(claims | {"aud": [issuer.audience], "scope": grant.scope})


async def id_token(issuer: DevIssuer, grant: Grant) -> str:
    """Return a token that tells the client who signed in; the API refuses it (OpenID Connect Core 1.0, 2)."""
    return await issuer.keys.sign(
        common_claims(issuer, grant, "ID") | identity_claims(grant.account) | {"aud": grant.client}
    )


def common_claims(issuer: DevIssuer, grant: Grant, kind: str) -> dict[str, Any]:
    now = int(issuer.app.now().timestamp())
    session = {"sid": str(grant.session)} if grant.session else {}
    return {
        "iss": issuer.url,
        "sub": str(grant.account.id),
        "azp": grant.client,
        "typ": kind,
        "iat": now,
        "exp": now + int(issuer.token_life.total_seconds()),
        "jti": str(uuid4()),
        **session,
    }


def identity_claims(account: Account) -> dict[str, Any]:
    """Return who it is. A service account has the name that Keycloak gives it, by which the kernel recognises one."""
    if account.client_id is not None:
        name = f"service-account-{account.client_id}"
        return {"client_id": account.client_id, "preferred_username": name, "name": account.name}
    return {
        "email": account.email,
        "email_verified": True,
        "name": account.name,
        "preferred_username": account.email,
    }


def authorization_claims(account: Account) -> dict[str, Any]:
    """Return the stored rights; empty claims are left out, as Keycloak does."""
    claims = {
        "role": account.role,
        "allowed_wholesalers": list(account.tenants),
        "allowed_customers": list(account.customers),
        "allowed_addresses": list(account.addresses),
        "multi_tenant": "true" if len(account.tenants) > 1 else "",
    }
    return {name: value for name, value in claims.items() if value} | {"vinc_generation": account.generation}
