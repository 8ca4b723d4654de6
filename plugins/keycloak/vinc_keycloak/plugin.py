"""Keycloak as the identity provider. The application starts without it: tokens with known keys stay valid."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from vinc_identity.contracts import IdentityProvider
from vinc_kernel import App, Contribution, Issuer, SignIn, hooks, logger

from .settings import KeycloakSettings


@hooks.contribute
def contribute() -> Contribution:
    from .commands import COMMANDS

    return Contribution(settings=KeycloakSettings, commands=COMMANDS)


@hooks.lifespan
@asynccontextmanager
async def provide_provider(app: App) -> AsyncGenerator[None]:
    from .service.connection import admin
    from .service.provider import KeycloakProvider

    settings = app.settings(KeycloakSettings)
    if settings.server_url is None:
        logger.warning("keycloak signs nobody in: VINC_KEYCLOAK__SERVER_URL is not set")
        yield
        return
    async with admin(settings) as connection:
        app.provide(KeycloakProvider(connection, app.audience), IdentityProvider)
        app.trust(make_issuer(settings, app.audience))
        yield


def make_issuer(settings: KeycloakSettings, audience: str) -> Issuer:
    """Return the issuer: browsers use its public address, and this service fetches keys from `server_url`."""
    connect = f"{settings.issuer_url}/protocol/openid-connect"
    return Issuer(
        url=settings.issuer_url,
        audience=audience,
        clients=frozenset({settings.client}),
        jwks_url=f"{settings.server_url}/realms/{settings.realm}/protocol/openid-connect/certs",
        sign_in=SignIn(
            flow="code",
            authorization_url=f"{connect}/auth",
            token_url=f"{connect}/token",
            client_id=settings.client,
        ),
    )
