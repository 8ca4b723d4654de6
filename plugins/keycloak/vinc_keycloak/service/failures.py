"""Turn errors of Keycloak and of the connection into one line each, with the setting to look at and no secret."""

import os
import ssl
from socket import gaierror

import httpx
from keycloak.exceptions import KeycloakConnectionError, KeycloakError

from vinc_identity.contracts import ProviderUnavailable

from ..errors import NOT_FOUND, SERVER_ERROR, Refused
from ..settings import KeycloakSettings
from .python_keycloak import SignInRefused

# python-keycloak raises the last three for a response that is not Keycloak's: no JSON, or another shape.
KNOWN = (KeycloakError, SignInRefused, TimeoutError, ValueError, KeyError, TypeError)
REFUSED_SIGN_IN = frozenset({400, 401, 403})  # RFC 6749, 5.2: invalid_grant is 400, invalid_client 401
TRUST = (
    "name the file of the authority that signed its certificate in SSL_CERT_FILE;"
    " only for a trial, VINC_KEYCLOAK__VERIFY_SSL=false believes any"
)


def to_provider_error(error: Exception, settings: KeycloakSettings, what: str) -> ProviderUnavailable:
    """Return the error to raise for one of python-keycloak; `what` completes "it refuses to ..."."""
    cause = error.cause if isinstance(error, SignInRefused) else error
    if isinstance(cause, TimeoutError):
        return timed_out(settings)
    if isinstance(cause, KeycloakConnectionError):
        return unreachable(cause, settings)
    if not isinstance(cause, KeycloakError) or cause.response_code is None:
        return ProviderUnavailable(
            f"{server(settings)} does not answer as Keycloak does: see VINC_KEYCLOAK__SERVER_URL, its path too"
        )
    if cause is not error:
        return sign_in_refused(cause.response_code, settings)
    return refused(cause.response_code, settings, what)


def server(settings: KeycloakSettings) -> str:
    return f"Keycloak at {settings.server_url}"


def timed_out(settings: KeycloakSettings) -> ProviderUnavailable:
    return ProviderUnavailable(
        f"{server(settings)} did not answer within {settings.timeout:g} s:"
        " see whether it is well, and VINC_KEYCLOAK__SERVER_URL and VINC_KEYCLOAK__TIMEOUT"
    )


def unreachable(error: BaseException, settings: KeycloakSettings) -> ProviderUnavailable:
    causes = causes_of(error)
    if any(isinstance(one, httpx.TimeoutException | TimeoutError) for one in causes):
        return timed_out(settings)
    if certificate := next((one for one in causes if isinstance(one, ssl.SSLError)), None):
        return tls_failed(certificate, settings)
    system = next((one for one in causes if isinstance(one, OSError) and one.errno), None)
    why = f"the connection ended with {type(causes[-1]).__name__}"
    if system:  # failed name lookups have numbers and messages of their own
        why = str(system.strerror if isinstance(system, gaierror) else os.strerror(system.errno or 0)).lower()
    return ProviderUnavailable(
        f"{server(settings)} cannot be reached: {why}: see whether it runs, and VINC_KEYCLOAK__SERVER_URL"
    )


def causes_of(error: BaseException | None) -> list[BaseException]:
    """Return an error and its causes, the outermost first."""
    causes: list[BaseException] = []
    while error is not None and error not in causes:
        causes.append(error)
        error = error.__cause__ or error.__context__
    return causes


def tls_failed(error: ssl.SSLError, settings: KeycloakSettings) -> ProviderUnavailable:
    if isinstance(error, ssl.SSLCertVerificationError):
        return ProviderUnavailable(f"{server(settings)} is not trusted, TLS: {error.verify_message}: {TRUST}")
    why = (error.reason or type(error).__name__).replace("_", " ").lower()
    return ProviderUnavailable(
        f"{server(settings)} does not speak TLS as we do: {why}: see whether VINC_KEYCLOAK__SERVER_URL is to say http"
    )


def sign_in_refused(status: int, settings: KeycloakSettings) -> ProviderUnavailable:
    """Return the error for an admin who gets no token."""
    realm = settings.admin_user_realm
    if status == NOT_FOUND:
        return ProviderUnavailable(
            f"{server(settings)} has no realm {realm!r} for its admin to sign in to:"
            " set VINC_KEYCLOAK__ADMIN_USER_REALM, or VINC_KEYCLOAK__SERVER_URL if its path is wrong"
        )
    if status in REFUSED_SIGN_IN:
        return ProviderUnavailable(
            f"{server(settings)} does not accept the admin that is named for the realm {realm!r}:"
            f" set {admin_settings(settings)}"
        )
    return refused(status, settings, "let its admin sign in")


def admin_settings(settings: KeycloakSettings) -> str:
    if settings.admin_username:
        return "VINC_KEYCLOAK__ADMIN_USERNAME and VINC_KEYCLOAK__ADMIN_PASSWORD"
    return "VINC_KEYCLOAK__ADMIN_CLIENT_ID and VINC_KEYCLOAK__ADMIN_CLIENT_SECRET"


def refused(status: int, settings: KeycloakSettings, what: str) -> Refused:
    realm = settings.realm
    match status:
        case 401 | 403:
            cure = f"give them that realm's roles, or change {admin_settings(settings)}"
            why = f"its admin may not in the realm {realm!r}: {cure}"
        case 404:
            why = f"it is not there, or there is no realm {realm!r}: `vinc keycloak bootstrap` makes the realm"
        case 409:
            why = "there is one already"
        case _ if status >= SERVER_ERROR:
            why = f"it fails by itself with status {status}: its log says more"
        case _:
            why = f"it does not take what it was sent (status {status}): its log says more"
    return Refused(f"{server(settings)} refuses to {what}: {why}", status)
