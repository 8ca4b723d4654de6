"""What Keycloak, or the way to it, refuses: one line each, with the setting to look at and nothing secret."""

import os
import ssl
from socket import gaierror

import httpx
from keycloak.exceptions import KeycloakConnectionError, KeycloakError

from vinc_identity.contracts import ProviderUnavailable

from ..errors import NOT_FOUND, SERVER_ERROR, Refused
from ..settings import KeycloakSettings
from .line import SignInRefused

# The last three are python-keycloak's for an answer that is none of Keycloak's: no JSON, or another form.
KNOWN = (KeycloakError, SignInRefused, TimeoutError, ValueError, KeyError, TypeError)
REFUSED_SIGN_IN = frozenset({400, 401, 403})  # RFC 6749, 5.2: invalid_grant is 400, invalid_client 401
TRUST = (
    "name the file of the authority that signed its certificate in SSL_CERT_FILE;"
    " only for a trial, VINC_KEYCLOAK__VERIFY_SSL=false believes any"
)


def told(error: Exception, settings: KeycloakSettings, what: str) -> ProviderUnavailable:
    """The line for what was raised while Keycloak was asked to do this: `what` ends "it refuses to ..."."""
    cause = error.cause if isinstance(error, SignInRefused) else error
    if isinstance(cause, TimeoutError):
        return late(settings)
    if isinstance(cause, KeycloakConnectionError):
        return unreachable(cause, settings)
    if not isinstance(cause, KeycloakError) or cause.response_code is None:
        return strange(settings)
    if cause is not error:
        return sign_in(cause.response_code, settings)
    return refused(cause.response_code, settings, what)


def place(settings: KeycloakSettings) -> str:
    return f"Keycloak at {settings.server_url}"


def late(settings: KeycloakSettings) -> ProviderUnavailable:
    return ProviderUnavailable(
        f"{place(settings)} did not answer within {settings.timeout:g} s:"
        " see whether it is well, and VINC_KEYCLOAK__SERVER_URL and VINC_KEYCLOAK__TIMEOUT"
    )


def strange(settings: KeycloakSettings) -> ProviderUnavailable:
    return ProviderUnavailable(
        f"{place(settings)} does not answer as Keycloak does: see VINC_KEYCLOAK__SERVER_URL, its path too"
    )


def unreachable(error: BaseException, settings: KeycloakSettings) -> ProviderUnavailable:
    """The line for a connection that does not come about, or breaks."""
    causes = chain(error)
    if any(isinstance(one, httpx.TimeoutException | TimeoutError) for one in causes):
        return late(settings)
    if certificate := next((one for one in causes if isinstance(one, ssl.SSLError)), None):
        return not_trusted(certificate, settings)
    system = next((one for one in causes if isinstance(one, OSError) and one.errno), None)
    why = reason(system) if system else f"the connection ended with {type(causes[-1]).__name__}"
    return ProviderUnavailable(
        f"{place(settings)} cannot be reached: {why}: see whether it runs, and VINC_KEYCLOAK__SERVER_URL"
    )


def chain(error: BaseException | None) -> list[BaseException]:
    """An error and what it came of, the outermost first."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def reason(error: OSError) -> str:
    """What the system says; names that cannot be looked up have numbers, and texts, of their own."""
    told = error.strerror if isinstance(error, gaierror) else os.strerror(error.errno or 0)
    return str(told).lower()


def not_trusted(error: ssl.SSLError, settings: KeycloakSettings) -> ProviderUnavailable:
    """The line for a TLS handshake that fails."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ProviderUnavailable(f"{place(settings)} is not trusted, TLS: {error.verify_message}: {TRUST}")
    why = (error.reason or type(error).__name__).replace("_", " ").lower()
    return ProviderUnavailable(
        f"{place(settings)} does not speak TLS as we do: {why}: see whether VINC_KEYCLOAK__SERVER_URL is to say http"
    )


def sign_in(status: int, settings: KeycloakSettings) -> ProviderUnavailable:
    """The line for an admin who gets no token."""
    realm = settings.admin_user_realm
    if status == NOT_FOUND:
        return ProviderUnavailable(
            f"{place(settings)} has no realm {realm!r} for its admin to sign in to:"
            " set VINC_KEYCLOAK__ADMIN_USER_REALM, or VINC_KEYCLOAK__SERVER_URL if its path is wrong"
        )
    if status in REFUSED_SIGN_IN:
        return ProviderUnavailable(
            f"{place(settings)} does not accept the admin that is named for the realm {realm!r}: set {who(settings)}"
        )
    return refused(status, settings, "let its admin sign in")


def who(settings: KeycloakSettings) -> str:
    """Which settings say who the admin is."""
    if settings.admin_username:
        return "VINC_KEYCLOAK__ADMIN_USERNAME and VINC_KEYCLOAK__ADMIN_PASSWORD"
    return "VINC_KEYCLOAK__ADMIN_CLIENT_ID and VINC_KEYCLOAK__ADMIN_CLIENT_SECRET"


def refused(status: int, settings: KeycloakSettings, what: str) -> Refused:
    """The line for an answer that is no success."""
    realm = settings.realm
    match status:
        case 401 | 403:
            why = f"its admin may not in the realm {realm!r}: give them that realm's roles, or change {who(settings)}"
        case 404:
            why = f"it is not there, or there is no realm {realm!r}: `vinc keycloak bootstrap` makes the realm"
        case 409:
            why = "there is one already"
        case _ if status >= SERVER_ERROR:
            why = f"it fails by itself with status {status}: its log says more"
        case _:
            why = f"it does not take what it was sent (status {status}): its log says more"
    return Refused(f"{place(settings)} refuses to {what}: {why}", status)
