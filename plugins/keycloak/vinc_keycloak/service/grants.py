"""Whether people may sign in by telling the application their password: never in production."""

from vinc_kernel import App, StartError

from ..settings import KeycloakSettings


def refuse_passwords_in_production(app: App) -> None:
    """Raise StartError where the password grant is on in production (RFC 9700, 2.4: it must not be used)."""
    if app.env == "prod" and app.settings(KeycloakSettings).password_grant:
        raise StartError(
            "the password grant is for development",
            plugin="keycloak",
            phase="settings",
            where="VINC_KEYCLOAK__PASSWORD_GRANT",
            cure="unset it, or set VINC_ENV to dev or test",
        )
