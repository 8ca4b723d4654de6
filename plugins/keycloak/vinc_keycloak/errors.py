"""The errors of this plugin; importing this does not import python-keycloak."""

from vinc_identity.contracts import ProviderUnavailable
from vinc_kernel import StartError, VincError

FORBIDDEN, NOT_FOUND, CONFLICT, SERVER_ERROR = 403, 404, 409, 500


class Refused(ProviderUnavailable):
    """Keycloak refuses a call. `status` is that of its response."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class AudienceIsAClient(VincError):
    """A client of the realm has the name of our audience."""


class ScopeIsLost(VincError):
    """The realm lacks a scope that Keycloak creates by default."""


def not_configured() -> StartError:
    """Return the error for a missing `server_url`."""
    return StartError(
        "nobody has said where Keycloak is",
        plugin="keycloak",
        phase="settings",
        where="VINC_KEYCLOAK__SERVER_URL",
        cure="set it, or let another plugin sign people in: vinc plugins disable keycloak",
    )
