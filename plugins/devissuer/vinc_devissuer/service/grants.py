"""The three grants of the token endpoint (RFC 6749, 4.3, 4.4 and 6)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vinc_kernel.rest import uuid7

from .. import repository
from ..errors import TokenRefused
from ..schemas import Account
from . import invites
from .authentication import authenticate
from .issuer import CLIENT, DevIssuer
from .passwords import digest
from .tokens import Grant, access_token, filter_scopes, id_token

Form = Mapping[str, str]
TokenResponse = dict[str, Any]
FAMILY_BYTES, SECRET_BYTES = 16, 32  # of the two parts of a refresh token
NO_USER = "Invalid user credentials"  # Keycloak's words: a wrong password, no such account, a disabled or locked one
NOT_SET_UP = "Account is not fully set up: choose a password of your own at error_uri"
NO_CLIENT = "Invalid client or Invalid client credentials"
NO_SESSION = "Session not active"


async def grant(issuer: DevIssuer, form: Form, host: str) -> TokenResponse:
    """Return the response of the token endpoint to a form that was sent from `host`; raises TokenRefused."""
    match form.get("grant_type"):
        case "password":
            return await grant_by_password(issuer, form, host)
        case "refresh_token":
            return await grant_by_refresh_token(issuer, form)
        case "client_credentials":
            return await grant_by_client_credentials(issuer, form, host)
        case None:
            raise TokenRefused("invalid_request", "Missing form parameter: grant_type")
        case _:
            raise TokenRefused("unsupported_grant_type", "Unsupported grant_type")


async def grant_by_password(issuer: DevIssuer, form: Form, host: str) -> TokenResponse:
    check_public_client(form)
    username, password = require_field(form, "username"), require_field(form, "password")
    account = await authenticate(issuer, "email", normalise_email(username), password, host=host)
    if account is None:
        raise TokenRefused("invalid_grant", NO_USER)
    if account.temporary:
        raise TokenRefused("invalid_grant", NOT_SET_UP, page=await invites.create_link(issuer, account.id))
    return await start_session(issuer, account, filter_scopes(form.get("scope", "")))


async def start_session(issuer: DevIssuer, account: Account, scope: str) -> TokenResponse:
    grant = Grant(account=account, scope=scope, session=uuid7())
    family, secret = secrets.token_bytes(FAMILY_BYTES), secrets.token_bytes(SECRET_BYTES)
    response = await issue_tokens(issuer, grant)  # first: if it fails, no session is stored
    now = issuer.app.now()
    async with issuer.app.session() as db:
        values = {
            "id": grant.session,
            "user_id": account.id,
            "scope": scope,
            "family_hash": digest(family.hex()),
            "refresh_hash": digest(secret.hex()),
            "generation": account.generation,
            "expires_at": now + issuer.session_life,
            "verified_hash": account.password_hash,
        }
        if not await repository.add_session(db, values, now):
            raise TokenRefused("invalid_grant", NO_USER)
    return response | {"refresh_token": encode_refresh_token(family, secret)}


async def grant_by_refresh_token(issuer: DevIssuer, form: Form) -> TokenResponse:
    """Renew a session's tokens; using the old refresh token again ends the session (RFC 9700, 4.14.2)."""
    check_public_client(form)
    family, current = decode_refresh_token(require_field(form, "refresh_token"))
    following = secrets.token_bytes(SECRET_BYTES)
    async with issuer.app.session() as db:
        renewed = await repository.renew(
            db, digest(family.hex()), digest(current.hex()), digest(following.hex()), issuer.app.now()
        )
        account = await repository.get(db, renewed.user_id) if renewed else None
        if renewed is None:
            await repository.end_family(db, digest(family.hex()))
    if renewed is None or account is None:
        raise TokenRefused("invalid_grant", NO_SESSION)
    # The session's, not the account's present one: see SignInSession.
    account = replace(account, generation=renewed.generation)
    response = await issue_tokens(issuer, Grant(account=account, scope=renewed.scope, session=renewed.id))
    return response | {"refresh_token": encode_refresh_token(family, following)}


async def grant_by_client_credentials(issuer: DevIssuer, form: Form, host: str) -> TokenResponse:
    """Return a token for a service account, without a session or refresh token (RFC 6749, 4.4.3)."""
    client, secret = require_field(form, "client_id"), require_field(form, "client_secret")
    account = await authenticate(issuer, "client_id", client, secret, host=host)
    if account is None:
        raise TokenRefused("invalid_client", NO_CLIENT)
    return await issue_tokens(issuer, Grant(account=account))


async def issue_tokens(issuer: DevIssuer, grant: Grant) -> TokenResponse:
    token = await access_token(issuer, grant)
    response = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": int(issuer.token_life.total_seconds()),
        "scope": grant.scope,
    }
    if "openid" in grant.scope.split():
        response["id_token"] = await id_token(issuer, grant)
    return response


def check_public_client(form: Form) -> None:
    """Raise TokenRefused for another client than the public one, which is the default."""
    if form.get("client_id", CLIENT) != CLIENT:
        raise TokenRefused("invalid_client", NO_CLIENT)


def require_field(form: Form, name: str) -> str:
    if not form.get(name):
        raise TokenRefused("invalid_request", f"Missing form parameter: {name}")
    return form[name]


def normalise_email(email: str) -> str:
    return email.strip().lower()


def encode_refresh_token(family: bytes, secret: bytes) -> str:
    return base64.urlsafe_b64encode(family + secret).decode()


def decode_refresh_token(token: str) -> tuple[bytes, bytes]:
    """Return the family and the secret of a refresh token; raises TokenRefused."""
    try:
        both = base64.b64decode(token, altchars=b"-_", validate=True)
    except ValueError:
        both = b""
    if len(both) != FAMILY_BYTES + SECRET_BYTES:
        raise TokenRefused("invalid_grant", NO_SESSION)
    return both[:FAMILY_BYTES], both[FAMILY_BYTES:]
