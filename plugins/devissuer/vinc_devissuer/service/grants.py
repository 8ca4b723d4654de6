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
from .issuer import CLIENT, DevIssuer
from .passwords import digest
from .proof import proved
from .tokens import Granted, access_token, id_token, scope_of

Form = Mapping[str, str]
Answer = dict[str, Any]
FAMILY, SECRET = 16, 32  # bytes of the two parts of a refresh token
NO_USER = "Invalid user credentials"  # Keycloak's words: a wrong password, no such account, a disabled or locked one
NOT_SET_UP = "Account is not fully set up: choose a password of your own at error_uri"
NO_CLIENT = "Invalid client or Invalid client credentials"
NO_SESSION = "Session not active"


async def grant(issuer: DevIssuer, form: Form, host: str) -> Answer:
    """What the token endpoint answers to this form, sent from `host`; raises TokenRefused."""
    match form.get("grant_type"):
        case "password":
            return await by_password(issuer, form, host)
        case "refresh_token":
            return await by_refresh_token(issuer, form)
        case "client_credentials":
            return await by_client_credentials(issuer, form, host)
        case None:
            raise TokenRefused("invalid_request", "Missing form parameter: grant_type")
        case _:
            raise TokenRefused("unsupported_grant_type", "Unsupported grant_type")


async def by_password(issuer: DevIssuer, form: Form, host: str) -> Answer:
    """Begin a session."""
    check_public_client(form)
    username, password = needed(form, "username"), needed(form, "password")
    account = await proved(issuer, "email", normalised(username), password, host=host)
    if account is None:
        raise TokenRefused("invalid_grant", NO_USER)
    if account.temporary:
        raise TokenRefused("invalid_grant", NOT_SET_UP, page=await invites.link(issuer, account.id))
    return await begun(issuer, account, scope_of(form.get("scope", "")))


async def begun(issuer: DevIssuer, account: Account, scope: str) -> Answer:
    granted = Granted(account=account, scope=scope, session=uuid7())
    family, secret = secrets.token_bytes(FAMILY), secrets.token_bytes(SECRET)
    answer = await answered(issuer, granted)  # first, so that a session that nobody heard of is never kept
    async with issuer.app.session() as db:
        values = {
            "id": granted.session,
            "user_id": account.id,
            "scope": scope,
            "family_hash": digest(family.hex()),
            "refresh_hash": digest(secret.hex()),
            "generation": account.generation,
            "life": issuer.session_life,
            "proved": account.password_hash,
        }
        if not await repository.add_session(db, values):
            raise TokenRefused("invalid_grant", NO_USER)
    return answer | {"refresh_token": written(family, secret)}


async def by_refresh_token(issuer: DevIssuer, form: Form) -> Answer:
    """Go on with a session, with a new refresh token; the old one, used again, ends it (RFC 9700, 4.14.2)."""
    check_public_client(form)
    family, used = parts(needed(form, "refresh_token"))
    following = secrets.token_bytes(SECRET)
    async with issuer.app.session() as db:
        renewed = await repository.renew(db, digest(family.hex()), digest(used.hex()), digest(following.hex()))
        account = await repository.one(db, renewed.user_id) if renewed else None
        if renewed is None:
            await repository.end_family(db, digest(family.hex()))
    if renewed is None or account is None:
        raise TokenRefused("invalid_grant", NO_SESSION)
    # Of the session, and not the account's of this moment: see SignInSession.
    account = replace(account, generation=renewed.generation)
    answer = await answered(issuer, Granted(account=account, scope=renewed.scope, session=renewed.id))
    return answer | {"refresh_token": written(family, following)}


async def by_client_credentials(issuer: DevIssuer, form: Form, host: str) -> Answer:
    """A token for a service account. There is no session, and so nothing to refresh (RFC 6749, 4.4.3)."""
    client, secret = needed(form, "client_id"), needed(form, "client_secret")
    account = await proved(issuer, "client_id", client, secret, host=host)
    if account is None:
        raise TokenRefused("invalid_client", NO_CLIENT)
    return await answered(issuer, Granted(account=account))


async def answered(issuer: DevIssuer, granted: Granted) -> Answer:
    token = await access_token(issuer, granted)
    answer = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": int(issuer.token_life.total_seconds()),
        "scope": granted.scope,
    }
    if "openid" in granted.scope.split():
        answer["id_token"] = await id_token(issuer, granted)
    return answer


def check_public_client(form: Form) -> None:
    """Refuse another client than the public one; who names none is taken for it."""
    if form.get("client_id", CLIENT) != CLIENT:
        raise TokenRefused("invalid_client", NO_CLIENT)


def needed(form: Form, name: str) -> str:
    if not form.get(name):
        raise TokenRefused("invalid_request", f"Missing form parameter: {name}")
    return form[name]


def normalised(email: str) -> str:
    """An e-mail address as it is stored and looked up."""
    return email.strip().lower()


def written(family: bytes, secret: bytes) -> str:
    return base64.urlsafe_b64encode(family + secret).decode()


def parts(token: str) -> tuple[bytes, bytes]:
    """The family and the secret of a refresh token; raises TokenRefused for what cannot be one."""
    try:
        both = base64.b64decode(token, altchars=b"-_", validate=True)
    except ValueError:
        both = b""
    if len(both) != FAMILY + SECRET:
        raise TokenRefused("invalid_grant", NO_SESSION)
    return both[:FAMILY], both[FAMILY:]
