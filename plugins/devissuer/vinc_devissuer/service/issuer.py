"""The issuer of one application, which all functions of this package get."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from vinc_kernel import App

from ..settings import DevissuerSettings
from .keys import SigningKeys
from .passwords import Passwords

CLIENT = "vinc-docs"  # the public client of Swagger UI, curl and tests: it has no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class DevIssuer:
    """`url` is the `iss` of its tokens and the prefix of its addresses; `audience` the `aud` of access tokens."""

    app: App
    url: str
    audience: str
    token_life: timedelta
    session_life: timedelta
    keys: SigningKeys
    passwords: Passwords


def make_issuer(app: App, passwords: Passwords) -> DevIssuer:
    """Return the issuer of this application; its address comes from settings, never from a request (threat T6)."""
    settings = app.settings(DevissuerSettings)
    token_life = timedelta(minutes=settings.access_minutes)
    return DevIssuer(
        app=app,
        url=settings.url or f"http://localhost{app.api_prefix}/devissuer",
        audience=app.audience,
        token_life=token_life,
        session_life=timedelta(hours=settings.refresh_hours),
        keys=SigningKeys(app, token_life),
        passwords=passwords,
    )
