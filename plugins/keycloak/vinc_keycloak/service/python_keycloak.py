"""python-keycloak's client. Importing it takes 0.3 s and 30 MB, so it is imported when Keycloak is first called."""

import math

from keycloak import KeycloakAdmin, KeycloakOpenIDConnection
from keycloak.exceptions import KeycloakError

from ..settings import KeycloakSettings

CLIENT = "admin-cli"  # exists in every realm, for admins who sign in with a password


class SignInRefused(Exception):
    """The admin gets no token; `cause` says why."""

    def __init__(self, cause: KeycloakError) -> None:
        super().__init__("the admin gets no token")
        self.cause = cause


class Connection(KeycloakOpenIDConnection):
    """A connection that signs in again when a token cannot be refreshed, for any reason."""

    async def a_get_token(self) -> None:
        try:
            await super().a_get_token()
        except KeycloakError as error:
            raise SignInRefused(error) from error

    async def a_refresh_token(self) -> None:
        try:
            await super().a_refresh_token()
        except KeycloakError:  # its session has ended, or Keycloak was replaced
            await self.a_get_token()


def make_client(settings: KeycloakSettings) -> KeycloakAdmin:
    """Return a client that has not signed in yet; nothing is sent."""
    password, secret = settings.admin_password, settings.admin_client_secret
    connection = Connection(
        server_url=f"{settings.server_url}/",
        username=settings.admin_username,
        password=password.get_secret_value() if password else None,
        client_id=settings.admin_client_id or CLIENT,
        client_secret_key=secret.get_secret_value() if secret else None,
        realm_name=settings.realm,
        user_realm_name=settings.admin_user_realm,
        verify=settings.verify_ssl,
        timeout=math.ceil(settings.timeout),
    )
    return KeycloakAdmin(connection=connection)


async def close(keycloak: KeycloakAdmin) -> None:
    await keycloak.connection.keycloak_openid.connection.aclose()
    await keycloak.connection.aclose()
