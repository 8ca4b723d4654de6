"""What is for development: signing in by telling the application a password, and believing any certificate."""

from vinc_kernel import App, StartError

from ..settings import KeycloakSettings


def refuse_what_is_for_development(app: App) -> None:
    """Raise StartError where production would take passwords (RFC 9700, 2.4), or tell them to whoever answers."""
    settings = app.settings(KeycloakSettings)
    if app.env != "prod":
        return
    if settings.password_grant:
        raise refused("the password grant is for development", "PASSWORD_GRANT", "unset it")
    if not settings.verify_ssl:
        cure = "unset it, and name an authority of your own by SSL_CERT_FILE"
        raise refused("a certificate that is not looked at is for development", "VERIFY_SSL", cure)


def refused(what: str, setting: str, cure: str) -> StartError:
    where = f"VINC_KEYCLOAK__{setting}"
    return StartError(what, plugin="keycloak", phase="settings", where=where, cure=cure)
